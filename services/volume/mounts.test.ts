import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { isServiceError } from '../../kit/errors.ts';
import { createMounts } from '../../kit/linux/mounts.ts';
import { collect, runningService } from './service.fixture.ts';

const mounts = createMounts();
const web = 'c'.repeat(64);
const db = 'd'.repeat(64);
const tmpfs = { type: 'tmpfs', device: 'tmpfs', o: 'size=1m,uid=1000' };
const typeAt = (path: string) => mounts.list(path).find((mount) => mount.target === path)?.type;

suite('volumes with mount options', { skip: process.getuid?.() === 0 ? false : 'needs root to mount' }, () => {
  test('are mounted while somebody runs with them, and no longer', async () => {
    await using service = await runningService();
    await service.volumes.acquireVolume({ volume: { name: 'ram', options: tmpfs }, holder: web });
    assert.equal(typeAt(service.dataOf('ram')), undefined);
    await service.volumes.mountVolume({ name: 'ram', holder: web });
    await service.volumes.mountVolume({ name: 'ram', holder: db });
    await service.volumes.unmountVolume({ name: 'ram', holder: web });
    assert.equal(typeAt(service.dataOf('ram')), 'tmpfs');
    await service.volumes.unmountVolume({ holder: db });
    assert.equal(typeAt(service.dataOf('ram')), undefined);
  });

  test('a mount that fails says why, and leaves nothing held', async () => {
    await using service = await runningService();
    const options = { type: 'none', o: 'bind', device: join(service.root, 'missing') };
    await service.volumes.acquireVolume({ volume: { name: 'bound', options }, holder: web });
    await assert.rejects(
      service.volumes.mountVolume({ name: 'bound', holder: web }),
      (error: unknown) =>
        isServiceError(error, 'MOUNT_FAILED') &&
        /^error while mounting volume '.*_data': failed to mount local volume: mount: .*missing/.test(error.message),
    );
    await service.volumes.releaseVolume({ holder: web });
    await service.volumes.removeVolume({ name: 'bound' });
  });

  test('a bound directory keeps its files when the volume is removed', async () => {
    await using service = await runningService();
    const device = join(service.root, 'shared');
    mkdirSync(device);
    writeFileSync(join(device, 'file'), 'precious');
    await service.volumes.acquireVolume({
      volume: { name: 'bound', options: { type: 'none', o: 'bind', device } },
      holder: web,
    });
    const { path } = await service.volumes.mountVolume({ name: 'bound', holder: web });
    assert.equal(readFileSync(join(path, 'file'), 'utf8'), 'precious');
    await service.volumes.releaseVolume({ holder: web });
    await service.volumes.removeVolume({ name: 'bound' });
    assert.equal(readFileSync(join(device, 'file'), 'utf8'), 'precious');
    assert.equal(existsSync(path), false);
  });

  test('a volume is not removed with what somebody else has mounted in it', async () => {
    await using service = await runningService();
    const device = join(service.root, 'shared');
    mkdirSync(device);
    writeFileSync(join(device, 'file'), 'precious');
    await service.volumes.createVolume({ name: 'plain' });
    const inside = join(service.dataOf('plain'), 'inside');
    mkdirSync(inside);
    mounts.bind(device, inside);
    await assert.rejects(service.volumes.removeVolume({ name: 'plain' }), (error: unknown) =>
      isServiceError(error, 'VOLUME_BUSY'),
    );
    assert.equal(readFileSync(join(device, 'file'), 'utf8'), 'precious');
    mounts.unmount(inside);
    await service.volumes.removeVolume({ name: 'plain' });
  });

  test('a mount that nobody runs with any more is ended by the next start', async () => {
    await using service = await runningService();
    await service.volumes.acquireVolume({ volume: { name: 'ram', options: tmpfs }, holder: web });
    await service.volumes.mountVolume({ name: 'ram', holder: web });
    await service.restart();
    assert.equal(typeAt(service.dataOf('ram')), 'tmpfs', 'it is kept for who runs with it');
    await service.restart({ bootId: 'another boot' });
    assert.equal(typeAt(service.dataOf('ram')), undefined);
  });

  test('Drain ends the mounts of all but those that are kept', async () => {
    await using service = await runningService();
    for (const name of ['one', 'two']) {
      await service.volumes.acquireVolume({ volume: { name, options: tmpfs }, holder: name });
      await service.volumes.mountVolume({ name, holder: name });
    }
    assert.deepEqual(await service.control.drain({ keep: ['two'] }), { problems: [] });
    assert.equal(typeAt(service.dataOf('one')), undefined);
    assert.equal(typeAt(service.dataOf('two')), 'tmpfs');
  });

  test('a server that does not answer holds up its own volume alone', async () => {
    const begun = Promise.withResolvers<void>();
    const hung = Promise.withResolvers<void>();
    const mount = () => {
      begun.resolve();
      return hung.promise;
    };
    const mountCommand = { mount, unmount: async () => {} };
    await using service = await runningService({ mountCommand });
    const options = { type: 'nfs', o: 'addr=192.0.2.1', device: ':/export' };
    await service.volumes.acquireVolume({ volume: { name: 'far', options }, holder: web });
    const mounting = service.volumes.mountVolume({ name: 'far', holder: web });
    await begun.promise;
    await service.volumes.createVolume({ name: 'near' });
    assert.equal((await collect(service.volumes.listVolumes({}))).length, 2);
    hung.reject(new Error('mount has not ended after 60 s'));
    await assert.rejects(mounting, (error: unknown) => isServiceError(error, 'MOUNT_FAILED'));
  });

  test('a filling that a crash has cut is begun anew', async () => {
    await using service = await runningService();
    const containerRoot = join(service.root, 'rootfs');
    mkdirSync(join(containerRoot, 'data'), { recursive: true });
    writeFileSync(join(containerRoot, 'data', 'seed'), 'whole');
    await service.volumes.acquireVolume({ volume: { name: 'cache' }, holder: web });
    mkdirSync(`${service.dataOf('cache')}.filling`);
    writeFileSync(join(`${service.dataOf('cache')}.filling`, 'seed'), 'wh');
    const { path } = await service.volumes.mountVolume({
      name: 'cache',
      holder: web,
      containerRoot,
      destination: '/data',
    });
    assert.equal(readFileSync(join(path, 'seed'), 'utf8'), 'whole');
    assert.deepEqual(readdirSync(join(path, '..')), ['_data']);
  });
});
