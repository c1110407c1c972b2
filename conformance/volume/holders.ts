import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { Outcome } from '../../proto/gen/longshore/contract/v1/outcome.ts';
import { ControlServiceDefinition } from '../../proto/gen/longshore/volume/v1/control.ts';
import type { VolumeServiceDefinition } from '../../proto/gen/longshore/volume/v1/volume.ts';
import { newId, type Session, type Target } from '../common/session.ts';
import { refused, type WireClient } from '../common/wire.ts';

const { OUTCOME_DONE, OUTCOME_ALREADY, OUTCOME_ABSENT } = Outcome;

/** Who has a volume, and who has it mounted. */
export function holderSuite(
  target: Target,
  current: () => { volumes: WireClient<typeof VolumeServiceDefinition>; session: Session },
): void {
  const newName = () => `conformance-${newId().slice(0, 12)}`;

  describe('volume: holders and mounts', () => {
    test('AcquireVolume creates what is not there and records the holder; repeated it is ALREADY', async () => {
      const { volumes } = current();
      const [name, holder] = [newName(), newId()];
      const acquired = await volumes.acquireVolume({ volume: { name }, holder });
      assert.equal(acquired.outcome, OUTCOME_DONE);
      assert.deepEqual(acquired.volume?.holders, [holder]);
      const again = await volumes.acquireVolume({ volume: { name }, holder });
      assert.equal(again.outcome, OUTCOME_ALREADY);
      assert.deepEqual((await volumes.getVolume({ name })).volume?.holders, [holder]);
      await volumes.releaseVolume({ name, holder });
      await volumes.removeVolume({ name });
    });

    test('a held volume is not removed: FAILED_PRECONDITION, VOLUME_IN_USE', async () => {
      const { volumes } = current();
      const [name, holder] = [newName(), newId()];
      await volumes.acquireVolume({ volume: { name }, holder });
      await refused(volumes.removeVolume({ name }), 'FAILED_PRECONDITION', 'VOLUME_IN_USE');
      await refused(volumes.removeVolume({ name, force: true }), 'FAILED_PRECONDITION', 'VOLUME_IN_USE');
      assert.equal((await volumes.releaseVolume({ name, holder })).outcome, OUTCOME_DONE);
      assert.equal((await volumes.removeVolume({ name })).outcome, OUTCOME_DONE);
    });

    test('ReleaseVolume with remove_anonymous removes an anonymous volume that nobody else holds', async () => {
      const { volumes } = current();
      const [name, one, other] = [newId(), newId(), newId()];
      for (const holder of [one, other]) await volumes.acquireVolume({ volume: { name, anonymous: true }, holder });
      const first = await volumes.releaseVolume({ holder: one, removeAnonymous: true });
      assert.deepEqual([first.outcome, first.removed], [OUTCOME_DONE, []]);
      const last = await volumes.releaseVolume({ holder: other, removeAnonymous: true });
      assert.deepEqual([last.outcome, last.removed], [OUTCOME_DONE, [name]]);
      await refused(volumes.getVolume({ name }), 'NOT_FOUND', 'VOLUME_NOT_FOUND');
    });

    test('ReleaseVolume keeps named volumes, and is ABSENT for who holds nothing', async () => {
      const { volumes } = current();
      const [name, holder] = [newName(), newId()];
      await volumes.acquireVolume({ volume: { name }, holder });
      assert.deepEqual((await volumes.releaseVolume({ holder, removeAnonymous: true })).removed, []);
      assert.equal((await volumes.releaseVolume({ holder })).outcome, OUTCOME_ABSENT);
      await volumes.removeVolume({ name });
    });

    test('ReconcileHolders makes the set of holders exactly the one given, and says what was dropped', async () => {
      const { volumes } = current();
      const [name, gone, kept] = [newName(), newId(), newId()];
      for (const holder of [gone, kept]) await volumes.acquireVolume({ volume: { name }, holder });
      const { released } = await volumes.reconcileHolders({ holdings: [{ holder: kept, name, mounted: false }] });
      assert.deepEqual(released, [`${gone}/${name}`]);
      assert.deepEqual((await volumes.getVolume({ name })).volume?.holders, [kept]);
      await volumes.reconcileHolders({ holdings: [] });
      await volumes.removeVolume({ name });
    });

    test('MountVolume gives an absolute path, to the same holder the same and ALREADY', async () => {
      const { volumes } = current();
      const [name, holder] = [newName(), newId()];
      await volumes.acquireVolume({ volume: { name }, holder });
      const mounted = await volumes.mountVolume({ name, holder });
      assert.equal(mounted.outcome, OUTCOME_DONE);
      assert.match(mounted.path, /^\//);
      const again = await volumes.mountVolume({ name, holder });
      assert.deepEqual([again.outcome, again.path], [OUTCOME_ALREADY, mounted.path]);
      assert.equal((await volumes.unmountVolume({ name, holder })).outcome, OUTCOME_DONE);
      assert.notEqual((await volumes.unmountVolume({ name, holder })).outcome, OUTCOME_DONE);
      await volumes.releaseVolume({ name, holder });
      await volumes.removeVolume({ name });
    });

    test('MountVolume of what is not there is NOT_FOUND, VOLUME_NOT_FOUND', async () => {
      const { volumes } = current();
      await refused(volumes.mountVolume({ name: newName(), holder: newId() }), 'NOT_FOUND', 'VOLUME_NOT_FOUND');
    });

    test('UnmountVolume without a name takes all that the holder has mounted', async () => {
      const { volumes } = current();
      const [one, two, holder] = [newName(), newName(), newId()];
      for (const name of [one, two]) {
        await volumes.acquireVolume({ volume: { name }, holder });
        await volumes.mountVolume({ name, holder });
      }
      assert.equal((await volumes.unmountVolume({ holder })).outcome, OUTCOME_DONE);
      for (const name of [one, two]) {
        assert.notEqual((await volumes.unmountVolume({ name, holder })).outcome, OUTCOME_DONE);
      }
      await volumes.releaseVolume({ holder });
      for (const name of [one, two]) await volumes.removeVolume({ name });
    });

    test('Drain unmounts what no one in `keep` holds; volumes and holders stay', async () => {
      const { volumes, session } = current();
      const control = session.connection.client(ControlServiceDefinition);
      const [name, kept, gone] = [newName(), newId(), newId()];
      for (const holder of [kept, gone]) {
        await volumes.acquireVolume({ volume: { name }, holder });
        await volumes.mountVolume({ name, holder });
      }
      await control.drain({ keep: [kept] });
      assert((await control.init({ fence: session.fence() })).count >= 1);
      assert.equal((await volumes.mountVolume({ name, holder: kept })).outcome, OUTCOME_ALREADY);
      assert.equal((await volumes.mountVolume({ name, holder: gone })).outcome, OUTCOME_DONE);
      for (const holder of [kept, gone]) await volumes.releaseVolume({ holder });
      await volumes.removeVolume({ name });
    });

    const needsFiles = { skip: target.isLocal !== true };

    test(
      'an empty volume is filled with what the image has at its place, once for each holder',
      needsFiles,
      async () => {
        const { volumes } = current();
        const [name, holder] = [newName(), newId()];
        const root = await mkdtemp(join(tmpdir(), 'conformance-'));
        await mkdir(join(root, 'srv'));
        await writeFile(join(root, 'srv', 'page'), 'from the image');
        await volumes.acquireVolume({ volume: { name }, holder });
        const request = { name, holder, containerRoot: root, destination: '/srv' };
        const { path } = await volumes.mountVolume(request);
        assert.equal(await readFile(join(path, 'page'), 'utf8'), 'from the image');
        await volumes.unmountVolume({ name, holder });
        await rm(join(path, 'page'));
        await writeFile(join(path, 'own'), '');
        await volumes.mountVolume(request);
        await assert.rejects(readFile(join(path, 'page')), { code: 'ENOENT' });
        await volumes.releaseVolume({ name, holder });
        await volumes.removeVolume({ name });
        await assert.rejects(readFile(join(path, 'own')), { code: 'ENOENT' });
        await rm(root, { recursive: true });
      },
    );

    test('with no_copy nothing is filled in', needsFiles, async () => {
      const { volumes } = current();
      const [name, holder] = [newName(), newId()];
      const root = await mkdtemp(join(tmpdir(), 'conformance-'));
      await writeFile(join(root, 'page'), 'from the image');
      await volumes.acquireVolume({ volume: { name }, holder });
      const { path } = await volumes.mountVolume({ name, holder, containerRoot: root, destination: '/', noCopy: true });
      await assert.rejects(readFile(join(path, 'page')), { code: 'ENOENT' });
      await volumes.releaseVolume({ name, holder });
      await volumes.removeVolume({ name });
      await rm(root, { recursive: true });
    });
  });
}
