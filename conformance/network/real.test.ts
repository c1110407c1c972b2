import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { after, test } from 'node:test';
import { startReal } from '../real.ts';
import { networkSuite } from './suite.ts';

if (process.getuid?.() === 0) {
  // A host of its own, so that no bridge, rule or sysctl of this one is touched.
  const host = `conformance-${randomBytes(4).toString('hex')}`;
  const inHost = ['nsenter', `--net=/run/netns/${host}`];
  execFileSync('ip', ['netns', 'add', host]);
  const removeHost = () => execFileSync('ip', ['netns', 'delete', host]);
  try {
    execFileSync('ip', ['-n', host, 'link', 'set', 'lo', 'up']);
    const service = await startReal('network', inHost);
    networkSuite({ endpoint: service.endpoint, isLocal: true, restart: service.restart });
    after(async () => {
      await service.stop();
      removeHost();
    });
  } catch (error) {
    removeHost();
    throw error;
  }
} else {
  test('our own network service', { skip: 'needs root' }, () => undefined);
}
