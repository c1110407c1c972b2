import { after } from 'node:test';
import { startFakeNetwork } from '../../fakes/network.ts';
import { networkSuite } from './suite.ts';

const fake = await startFakeNetwork({ listen: 'tcp://127.0.0.1:0' });
networkSuite({ endpoint: fake.endpoint, restart: () => fake.restart() });
after(() => fake.stop());
