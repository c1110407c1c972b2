import { after } from 'node:test';
import { startFakeVolume } from '../../fakes/volume.ts';
import { volumeSuite } from './suite.ts';

const fake = await startFakeVolume({ listen: 'tcp://127.0.0.1:0' });
volumeSuite({ endpoint: fake.endpoint, restart: () => fake.restart() });
after(() => fake.stop());
