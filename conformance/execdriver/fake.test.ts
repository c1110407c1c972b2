import { after } from 'node:test';
import { startFakeExecdriver } from '../../fakes/execdriver.ts';
import { execdriverSuite } from './suite.ts';

const fake = await startFakeExecdriver({ listen: 'tcp://127.0.0.1:0' });
execdriverSuite({ endpoint: fake.endpoint, rootPath: '/rootfs', restart: () => fake.restart() });
after(() => fake.stop());
