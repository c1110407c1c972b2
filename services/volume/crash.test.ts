import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { createMounts } from '../../kit/linux/mounts.ts';
import { silentLogger } from '../../kit/log.ts';
import { dial } from '../../kit/rpc/dial.ts';
import { ControlServiceDefinition } from '../../proto/gen/longshore/volume/v1/control.ts';
import { VolumeServiceDefinition } from '../../proto/gen/longshore/volume/v1/volume.ts';
import { collect, engineId } from './service.fixture.ts';

const program = new URL('./main.ts', import.meta.url).pathname;
const holder = 'c'.repeat(64);

/** The service as a process, to be killed. */
async function serviceProcess() {
  const root = mkdtempSync(join(tmpdir(), 'longshore-volume-'));
  const [dataRoot, execRoot] = [join(root, 'data'), join(root, 'exec')];
  mkdirSync(execRoot);
  const channel = dial(`unix://${execRoot}/volume.sock`, { role: 'daemon', log: silentLogger() });
  let child: ChildProcess | undefined;
  const service = {
    root,
    volumeRoot: join(dataRoot, 'volumes'),
    control: channel.client(ControlServiceDefinition),
    volumes: channel.client(VolumeServiceDefinition),
    async start() {
      const args = [program, '--data-root', dataRoot, '--exec-root', execRoot, '--log-level', 'error'];
      child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit'] });
      if (!(await channel.ready(10_000))) throw new Error('the volume service does not answer');
    },
    async kill() {
      if (child === undefined) return;
      child.kill('SIGKILL');
      await once(child, 'exit');
      child = undefined;
    },
    async [Symbol.asyncDispose]() {
      channel.close();
      await service.kill();
      const mounts = createMounts();
      for (const { target } of mounts.list(root).reverse()) mounts.unmount(target, { detach: true });
      rmSync(root, { recursive: true, force: true });
    },
  };
  await service.start();
  await service.control.init({ fence: { engineId, epoch: 1 } });
  return service;
}

suite('a volume service that dies', {
  skip: process.getuid?.() === 0 ? false : 'needs root to copy into volumes',
}, () => {
  test('killed in the middle of anything, it has each volume whole or not at all', async () => {
    await using service = await serviceProcess();
    const containerRoot = join(service.root, 'rootfs');
    mkdirSync(join(containerRoot, 'data'), { recursive: true });
    for (let n = 0; n < 100; n++) writeFileSync(join(containerRoot, 'data', `file${n}`), `content ${n}`);

    for (const round of [1, 2, 3, 4, 5]) {
      const names = Array.from({ length: 4 }, (_, n) => `vol-${round}-${n}`);
      const lives = names.map(async (name, n) => {
        await service.volumes.acquireVolume({ volume: { name }, holder });
        await service.volumes.mountVolume({ name, holder, containerRoot, destination: '/data' });
        if (n % 2 === 0) return;
        await service.volumes.releaseVolume({ name, holder });
        await service.volumes.removeVolume({ name });
      });
      const ended = Promise.allSettled(lives);
      // Each round the blow comes later in their lives.
      for (let calls = 0; calls < round * 10; calls++) await service.control.identify({});
      await service.kill();
      await service.start();
      await ended;

      const listed = (await collect(service.volumes.listVolumes({}))).map(({ volume }) => volume?.name ?? '');
      const directories = readdirSync(service.volumeRoot).filter((name) => name.startsWith('vol-'));
      assert.deepEqual(directories.sort(), listed.sort());
      for (const name of listed) {
        const files = readdirSync(join(service.volumeRoot, name, '_data')).length;
        assert.ok(files === 0 || files === 100, `${name} has ${files} files`);
        assert.deepEqual(readdirSync(join(service.volumeRoot, name)), ['_data']);
        const { path } = await service.volumes.mountVolume({ name, holder, containerRoot, destination: '/data' });
        assert.equal(readdirSync(path).length, 100);
        await service.volumes.releaseVolume({ name, holder });
        await service.volumes.removeVolume({ name });
      }
      assert.deepEqual(
        readdirSync(service.volumeRoot).filter((name) => name.startsWith('vol-')),
        [],
      );
    }
  });
});
