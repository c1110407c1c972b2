import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { Outcome } from '../../proto/gen/longshore/contract/v1/outcome.ts';
import { newId } from '../common/session.ts';
import { refused } from '../common/wire.ts';
import { apply, baseEntries, type Layers, removeAll } from './archives.ts';
import type { Current } from './current.ts';

const { OUTCOME_DONE, OUTCOME_ALREADY, OUTCOME_ABSENT } = Outcome;

/** Views of chains, and who holds them. */
export function mountSuite(target: { isLocal?: boolean; restart?: () => Promise<void> }, current: Current): void {
  const needsFiles = { skip: target.isLocal !== true };
  const makeWritable = async (layers: Layers, parent = '') => {
    const id = newId();
    await layers.createLayer({ id, parent });
    return id;
  };
  const holdersOf = async (layers: Layers, id: string) => (await layers.getLayer({ id })).layer?.holders.toSorted();

  describe('graphdriver: mounts', () => {
    test('MountLayer gives an absolute path; to the same holder the same and ALREADY', async () => {
      const { layers } = current();
      const [id, holder] = [await makeWritable(layers), newId()];
      const mounted = await layers.mountLayer({ id, holder });
      assert.equal(mounted.outcome, OUTCOME_DONE);
      assert.match(mounted.path, /^\//);
      const again = await layers.mountLayer({ id, holder });
      assert.deepEqual([again.outcome, again.path], [OUTCOME_ALREADY, mounted.path]);
      assert.deepEqual(await holdersOf(layers, id), [holder]);
      await layers.unmountLayer({ id, holder });
      await removeAll(layers, id);
    });

    test('mounting what is not there is NOT_FOUND, LAYER_NOT_FOUND', async () => {
      const { layers } = current();
      await refused(layers.mountLayer({ id: newId(), holder: newId() }), 'NOT_FOUND', 'LAYER_NOT_FOUND');
    });

    test('a mount without a holder is INVALID_ARGUMENT', async () => {
      const { layers } = current();
      const id = await makeWritable(layers);
      await refused(layers.mountLayer({ id, holder: '' }), 'INVALID_ARGUMENT');
      await removeAll(layers, id);
    });

    test('unmounting what is not mounted, or not there, succeeds and says so', async () => {
      const { layers } = current();
      const [id, holder] = [await makeWritable(layers), newId()];
      assert.notEqual((await layers.unmountLayer({ id, holder })).outcome, OUTCOME_DONE);
      await layers.mountLayer({ id, holder });
      assert.equal((await layers.unmountLayer({ id, holder })).outcome, OUTCOME_DONE);
      assert.notEqual((await layers.unmountLayer({ id, holder })).outcome, OUTCOME_DONE);
      assert.equal((await layers.unmountLayer({ id: newId(), holder })).outcome, OUTCOME_ABSENT);
      await removeAll(layers, id);
    });

    test('a mounted layer is not removed: FAILED_PRECONDITION, LAYER_IN_USE, naming the holder', async () => {
      const { layers } = current();
      const [id, holder] = [await makeWritable(layers), newId()];
      await layers.mountLayer({ id, holder });
      const refusal = await refused(layers.removeLayer({ id }), 'FAILED_PRECONDITION', 'LAYER_IN_USE');
      assert.match(JSON.stringify([refusal.message, refusal.metadata]), new RegExp(holder));
      await layers.unmountLayer({ id, holder });
      await removeAll(layers, id);
    });

    test('a removal lets its own holder go; while another holds the layer nothing changes', async () => {
      const { layers } = current();
      const [id, holder, other] = [await makeWritable(layers), newId(), newId()];
      const { path } = await layers.mountLayer({ id, holder });
      await layers.mountLayer({ id, holder: other });
      const refusal = await refused(layers.removeLayer({ id, holder }), 'FAILED_PRECONDITION', 'LAYER_IN_USE');
      assert.match(JSON.stringify([refusal.message, refusal.metadata]), new RegExp(other));
      assert.deepEqual((await layers.getLayer({ id })).layer?.holders.toSorted(), [holder, other].toSorted());
      await layers.unmountLayer({ id, holder: other });
      assert.equal((await layers.removeLayer({ id, holder })).outcome, OUTCOME_DONE);
      await refused(layers.getLayer({ id }), 'NOT_FOUND', 'LAYER_NOT_FOUND');
      if (needsFiles.skip === false) await assert.rejects(readdir(path));
    });

    test("the view shows the chain's files merged", needsFiles, async () => {
      const { layers } = current();
      const base = await apply(layers, baseEntries);
      const upper = [{ name: 'etc/' }, { name: 'etc/motd', body: 'changed' }, { name: 'etc/.wh.gone' }];
      const top = await apply(layers, [...upper, { name: 'new', body: '1' }], { parent: base });
      const [id, holder] = [await makeWritable(layers, top), newId()];
      const { path } = await layers.mountLayer({ id, holder });
      assert.deepEqual((await readdir(path)).toSorted(), ['bin', 'etc', 'new']);
      assert.deepEqual(await readdir(join(path, 'etc')), ['motd']);
      assert.equal(await readFile(join(path, 'etc/motd'), 'utf8'), 'changed');
      await layers.unmountLayer({ id, holder });
      await removeAll(layers, id, top, base);
    });

    test('an opaque directory hides what lay below it', needsFiles, async () => {
      const { layers } = current();
      const base = await apply(layers, baseEntries);
      const upper = [{ name: 'etc/' }, { name: 'etc/.wh..wh..opq' }, { name: 'etc/own', body: '1' }];
      const top = await apply(layers, upper, { parent: base });
      const [id, holder] = [await makeWritable(layers, top), newId()];
      const { path } = await layers.mountLayer({ id, holder });
      assert.deepEqual(await readdir(join(path, 'etc')), ['own']);
      await layers.unmountLayer({ id, holder });
      await removeAll(layers, id, top, base);
    });

    test('the view goes away with its last holder', needsFiles, async () => {
      const { layers } = current();
      const base = await apply(layers, baseEntries);
      const [id, one, other] = [await makeWritable(layers, base), newId(), newId()];
      const { path } = await layers.mountLayer({ id, holder: one });
      assert.equal((await layers.mountLayer({ id, holder: other })).path, path);
      await layers.unmountLayer({ id, holder: one });
      assert.equal(await readFile(join(path, 'etc/motd'), 'utf8'), 'hello');
      await layers.unmountLayer({ id, holder: other });
      await assert.rejects(readFile(join(path, 'etc/motd')), { code: 'ENOENT' });
      await removeAll(layers, id, base);
    });

    test('Drain unmounts all that is not held by `keep`; layers stay', async () => {
      const { layers, control, reinit } = current();
      const [id, kept, gone] = [await makeWritable(layers), newId(), newId()];
      for (const holder of [kept, gone]) await layers.mountLayer({ id, holder });
      assert.deepEqual((await control.drain({ keep: [kept] })).problems, []);
      await reinit();
      assert.deepEqual(await holdersOf(layers, id), [kept]);
      assert.deepEqual((await control.drain({})).problems, []);
      await reinit();
      assert.deepEqual(await holdersOf(layers, id), []);
      await removeAll(layers, id);
    });

    test('holders are known after a restart', { skip: target.restart === undefined }, async () => {
      const { layers } = current();
      const [id, holder] = [await makeWritable(layers), newId()];
      const { path } = await layers.mountLayer({ id, holder });
      await target.restart?.();
      const again = await layers.mountLayer({ id, holder });
      assert.deepEqual([again.outcome, again.path], [OUTCOME_ALREADY, path]);
      await layers.unmountLayer({ id, holder });
      await removeAll(layers, id);
    });
  });
}
