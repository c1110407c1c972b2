import { after, test } from 'node:test';
import { startReal } from '../real.ts';
import { volumeSuite } from './suite.ts';

if (process.getuid?.() === 0) {
  const service = await startReal('volume');
  volumeSuite({ endpoint: service.endpoint, isLocal: true, restart: service.restart });
  after(service.stop);
} else {
  test('our own volume service', { skip: 'needs root' }, () => undefined);
}
