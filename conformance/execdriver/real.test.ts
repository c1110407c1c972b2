import { existsSync } from 'node:fs';
import { after, test } from 'node:test';
import { startReal } from '../real.ts';
import { makeRoot } from './root.ts';
import { execdriverSuite } from './suite.ts';

const busybox = '/bin/busybox';

if (process.getuid?.() === 0 && existsSync(busybox)) {
  const root = await makeRoot(busybox);
  const service = await startReal('execdriver');
  const { endpoint, restart } = service;
  execdriverSuite({ endpoint, restart, rootPath: root.path, isLocal: true });
  after(async () => {
    await service.stop();
    await root.remove();
  });
} else {
  test('our own exec driver', { skip: `needs root and a static ${busybox}` }, () => undefined);
}
