import { after } from 'node:test';
import { startFakeGraphdriver } from '../../fakes/graphdriver.ts';
import { graphdriverSuite } from './suite.ts';

const fake = await startFakeGraphdriver({ listen: 'tcp://127.0.0.1:0' });
graphdriverSuite({ endpoint: fake.endpoint, restart: () => fake.restart() });
after(() => fake.stop());
