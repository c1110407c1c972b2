import { after, test } from 'node:test';
import { startReal } from '../real.ts';
import { graphdriverSuite } from './suite.ts';

if (process.getuid?.() === 0) {
  const service = await startReal('graphdriver');
  const { endpoint, dataRoot, restart } = service;
  graphdriverSuite({ endpoint, dataRoot, restart, isLocal: true });
  after(service.stop);
} else {
  test('our own graphdriver', { skip: 'needs root' }, () => undefined);
}
