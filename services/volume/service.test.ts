import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { suite, test } from 'node:test';
import { isServiceError } from '../../kit/errors.ts';
import { mkdirAt } from '../../kit/linux/directory-entries.ts';
import { closeDescriptor, OpenFlag, openDescriptor } from '../../kit/linux/libc.ts';
import { createMounts } from '../../kit/linux/mounts.ts';
import { openBeneath } from '../../kit/linux/openat2.ts';
import { Outcome } from '../../proto/gen/longshore/contract/v1/outcome.ts';
import { anonymousName, collect, engineId, runningService } from './service.fixture.ts';

const withReason = (reason: string, message?: RegExp) => (error: unknown) =>
  isServiceError(error, reason) && (message === undefined || message.test(error.message));

const skip = process.getuid?.() === 0 ? false : 'needs root to mount';
const web = 'c'.repeat(64);
const db = 'd'.repeat(64);

suite('the volume service', () => {
  test('a volume is a directory of its name, and is there at once', async () => {
    await using service = await runningService();
    const { outcome, volume } = await service.volumes.createVolume({ name: 'cache', labels: { a: 'b' } });
    assert.equal(outcome, Outcome.OUTCOME_DONE);
    assert.equal(volume?.mountpoint, service.dataOf('cache'));
    assert.equal(volume?.driver, 'local');
    assert.deepEqual(volume?.labels, { a: 'b' });
    assert.equal(statSync(service.dataOf('cache')).mode & 0o777, 0o755);
  });

  test('creating what is there gives it and says so', async () => {
    await using service = await runningService();
    const first = await service.volumes.createVolume({ name: 'cache' });
    const again = await service.volumes.createVolume({ name: 'cache' });
    assert.equal(again.outcome, Outcome.OUTCOME_ALREADY);
    assert.deepEqual(again.volume, first.volume);
  });

  test('a name that looks like a path is refused in the words that docker has', async () => {
    await using service = await runningService();
    await assert.rejects(
      service.volumes.createVolume({ name: 'a/b' }),
      withReason(
        'BAD_NAME',
        /^create a\/b: "a\/b" includes invalid characters for a local volume name, only "\[a-zA-Z0-9\]\[a-zA-Z0-9_\.-\]" are allowed\. If you intended to pass a host directory, use absolute path$/,
      ),
    );
    await assert.rejects(service.volumes.createVolume({ name: '..' }), withReason('BAD_NAME'));
    await assert.rejects(service.volumes.createVolume({ name: 'x' }), withReason('BAD_NAME', /too short/));
    await assert.rejects(service.volumes.createVolume({ name: 'volumes.db-wal' }), withReason('BAD_NAME', /reserved/));
  });

  test('an unknown driver and unknown options are refused and leave nothing', async () => {
    await using service = await runningService();
    await assert.rejects(service.volumes.createVolume({ name: 'xx', driver: 'rexray' }), withReason('UNKNOWN_DRIVER'));
    await assert.rejects(
      service.volumes.createVolume({ name: 'xx', options: { colour: 'red' } }),
      withReason('BAD_OPTION', /invalid option: "colour"/),
    );
    await assert.rejects(
      service.volumes.createVolume({ name: 'xx', options: { o: 'ro' } }),
      withReason('BAD_OPTION', /missing required option: "type"/),
    );
    assert.deepEqual(await collect(service.volumes.listVolumes({})), []);
    assert.equal(existsSync(join(service.dataOf('xx'), '..')), false);
  });

  test('a held volume is not removed; a released one is, with its files', async () => {
    await using service = await runningService();
    await service.volumes.acquireVolume({ volume: { name: 'cache' }, holder: web });
    writeFileSync(join(service.dataOf('cache'), 'file'), 'x');
    await assert.rejects(
      service.volumes.removeVolume({ name: 'cache', force: true }),
      withReason('VOLUME_IN_USE', new RegExp(`^remove cache: volume is in use - \\[${web}\\]$`)),
    );
    await service.volumes.releaseVolume({ name: 'cache', holder: web });
    assert.deepEqual(await service.volumes.removeVolume({ name: 'cache' }), { outcome: Outcome.OUTCOME_DONE });
    assert.equal(existsSync(join(service.dataOf('cache'), '..')), false);
  });

  test('removing what is not there fails, and succeeds by force', async () => {
    await using service = await runningService();
    await assert.rejects(service.volumes.removeVolume({ name: 'none' }), withReason('VOLUME_NOT_FOUND'));
    assert.deepEqual(await service.volumes.removeVolume({ name: 'none', force: true }), {
      outcome: Outcome.OUTCOME_ABSENT,
    });
  });

  test('an anonymous volume goes with its last holder, a named one stays', async () => {
    await using service = await runningService();
    const anonymous = { name: anonymousName, anonymous: true };
    await service.volumes.acquireVolume({ volume: anonymous, holder: web });
    await service.volumes.acquireVolume({ volume: anonymous, holder: db });
    await service.volumes.acquireVolume({ volume: { name: 'named' }, holder: web });
    const first = await service.volumes.releaseVolume({ holder: web, removeAnonymous: true });
    assert.deepEqual(first, { outcome: Outcome.OUTCOME_DONE, removed: [] });
    const last = await service.volumes.releaseVolume({ holder: db, removeAnonymous: true });
    assert.deepEqual(last.removed, [anonymousName]);
    assert.equal(existsSync(service.dataOf(anonymousName)), false);
    assert.equal(existsSync(service.dataOf('named')), true);
    const gone = await service.volumes.releaseVolume({ holder: db, removeAnonymous: true });
    assert.equal(gone.outcome, Outcome.OUTCOME_ABSENT);
  });

  test('an empty volume gets what the image has at that place, once for a container', async () => {
    await using service = await runningService();
    const containerRoot = join(service.root, 'rootfs');
    mkdirSync(join(containerRoot, 'data'), { recursive: true, mode: 0o750 });
    writeFileSync(join(containerRoot, 'data', 'seed'), 'from the image');
    await service.volumes.acquireVolume({ volume: { name: 'cache' }, holder: web });
    const mount = { name: 'cache', holder: web, containerRoot, destination: '/data' };

    const mounted = await service.volumes.mountVolume(mount);
    assert.deepEqual(mounted, { outcome: Outcome.OUTCOME_DONE, path: service.dataOf('cache') });
    const seed = join(mounted.path, 'seed');
    assert.equal(readFileSync(seed, 'utf8'), 'from the image');
    assert.equal(statSync(mounted.path).mode & 0o777, 0o750);

    writeFileSync(seed, 'changed');
    await service.volumes.unmountVolume({ name: 'cache', holder: web });
    await service.volumes.mountVolume(mount);
    assert.equal(readFileSync(seed, 'utf8'), 'changed');
  });

  test('nothing is copied when the caller says so', async () => {
    await using service = await runningService();
    const containerRoot = join(service.root, 'rootfs');
    mkdirSync(join(containerRoot, 'data'), { recursive: true });
    writeFileSync(join(containerRoot, 'data', 'seed'), 'x');
    await service.volumes.acquireVolume({ volume: { name: 'cache' }, holder: web });
    const { path } = await service.volumes.mountVolume({
      name: 'cache',
      holder: web,
      containerRoot,
      destination: '/data',
      noCopy: true,
    });
    assert.equal(existsSync(join(path, 'seed')), false);
  });

  test('holders are made what the coordinator says', async () => {
    await using service = await runningService();
    await service.volumes.acquireVolume({ volume: { name: 'one' }, holder: web });
    await service.volumes.acquireVolume({ volume: { name: 'two' }, holder: web });
    const { released } = await service.volumes.reconcileHolders({
      holdings: [
        { holder: web, name: 'one', mounted: true },
        { holder: db, name: 'one' },
        { holder: db, name: 'never made' },
      ],
    });
    assert.deepEqual(released, [`${web}/two`]);
    assert.deepEqual((await service.volumes.getVolume({ name: 'one' })).volume?.holders, [web, db]);
    assert.deepEqual((await service.volumes.getVolume({ name: 'two' })).volume?.holders, []);
  });

  test('lists are filtered by label, name and holders', async () => {
    await using service = await runningService();
    await service.volumes.createVolume({ name: 'red', labels: { colour: 'red' } });
    await service.volumes.createVolume({ name: 'blue', labels: { colour: 'blue', old: '' } });
    await service.volumes.acquireVolume({ volume: { name: 'held' }, holder: web });
    const named = async (filter: Parameters<typeof service.volumes.listVolumes>[0]) =>
      (await collect(service.volumes.listVolumes(filter))).map(({ volume }) => volume?.name);
    assert.deepEqual(await named({}), ['blue', 'held', 'red']);
    assert.deepEqual(await named({ labels: { colour: 'red' } }), ['red']);
    assert.deepEqual(await named({ labels: { colour: '' } }), ['blue', 'red']);
    assert.deepEqual(await named({ names: ['l'] }), ['blue', 'held']);
    assert.deepEqual(await named({ dangling: true }), ['blue', 'red']);
    assert.deepEqual(await named({ dangling: false }), ['held']);
  });

  test('what happens is told in order, also to one that asks later', async () => {
    await using service = await runningService();
    const cancel = new AbortController();
    const watch = service.volumes.watchVolumes({}, { signal: cancel.signal })[Symbol.asyncIterator]();
    const first = await watch.next();
    const start = first.value?.latest ?? 0;
    await service.volumes.acquireVolume({ volume: { name: 'cache' }, holder: web });
    await service.volumes.mountVolume({ name: 'cache', holder: web });
    await service.volumes.unmountVolume({ holder: web });
    await service.volumes.releaseVolume({ holder: web });
    await service.volumes.removeVolume({ name: 'cache' });
    cancel.abort();

    await service.restart();
    const again = new AbortController();
    const actions: string[] = [];
    for await (const event of service.volumes.watchVolumes({ after: start }, { signal: again.signal })) {
      if (event.cursor !== 0) actions.push(event.action);
      if (event.cursor === start + 4) break;
    }
    assert.deepEqual(actions, ['create', 'mount', 'unmount', 'destroy']);
  });

  test('after a restart everything is as before, without a new Init', async () => {
    await using service = await runningService();
    await service.volumes.acquireVolume({ volume: { name: 'cache', labels: { a: 'b' } }, holder: web });
    await service.restart();
    const { volume } = await service.volumes.getVolume({ name: 'cache' });
    assert.deepEqual(volume?.holders, [web]);
    assert.deepEqual(volume?.labels, { a: 'b' });
  });

  test('a directory of a volume that has no record is taken in, not deleted', async () => {
    await using service = await runningService();
    mkdirSync(service.dataOf('restored'), { recursive: true });
    writeFileSync(join(service.dataOf('restored'), 'file'), 'precious');
    await service.restart();
    const { volume } = await service.volumes.getVolume({ name: 'restored' });
    assert.equal(volume?.mountpoint, service.dataOf('restored'));
    assert.equal(readFileSync(join(service.dataOf('restored'), 'file'), 'utf8'), 'precious');
  });

  test('a volume in which a container has gone deeper than any path says can be removed', async () => {
    await using service = await runningService();
    await service.volumes.createVolume({ name: 'deep' });
    const name = 'd'.repeat(200);
    let current = openDescriptor(service.dataOf('deep'), OpenFlag.RDONLY | OpenFlag.DIRECTORY);
    for (let depth = 0; depth < 50; depth++) {
      mkdirAt(current, name, 0o755);
      const next = openBeneath(current, name, OpenFlag.RDONLY | OpenFlag.DIRECTORY);
      closeDescriptor(current);
      current = next;
    }
    closeDescriptor(current);
    assert.equal((await service.volumes.removeVolume({ name: 'deep' })).outcome, Outcome.OUTCOME_DONE);
    assert.equal(existsSync(dirname(service.dataOf('deep'))), false);
  });

  test('one volume that cannot be put in order does not keep the others from being served', { skip }, async () => {
    await using service = await runningService();
    await service.volumes.createVolume({ name: 'good' });
    await service.volumes.createVolume({ name: 'stuck', options: { type: 'tmpfs', device: 'tmpfs' } });
    createMounts().mount('tmpfs', service.dataOf('stuck'), 'tmpfs', 0, '');
    const unmount = () => Promise.reject(new Error('umount: the server does not answer'));
    await service.restart({ mountCommand: { mount: () => Promise.resolve(), unmount } });
    await service.control.init({ fence: { engineId, epoch: 2 } });
    const names = (await collect(service.volumes.listVolumes({}))).map(({ volume }) => volume?.name);
    assert.deepEqual(names, ['good', 'stuck']);
  });

  test('before Init the verbs are refused, and Identify answers', async () => {
    await using service = await runningService();
    await service.control.drain({});
    await assert.rejects(service.volumes.createVolume({ name: 'cache' }), withReason('NOT_INITIALISED'));
    const { identity } = await service.control.identify({});
    assert.equal(identity?.engineId, engineId);
  });

  test('another engine is refused', async () => {
    await using service = await runningService();
    await assert.rejects(
      service.control.init({ fence: { engineId: 'f0'.repeat(16), epoch: 9 } }),
      withReason('OTHER_ENGINE'),
    );
  });
});
