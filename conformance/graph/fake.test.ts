import { after } from 'node:test';
import { startFakeGraph } from '../../fakes/graph.ts';
import { startLayers } from './layers.ts';
import { graphSuite } from './suite.ts';

const layers = await startLayers();
const fake = await startFakeGraph({ listen: 'tcp://127.0.0.1:0' });
graphSuite({ endpoint: fake.endpoint, restart: () => fake.restart(), ...layers.fixtures });
after(async () => {
  await fake.stop();
  await layers.stop();
});
