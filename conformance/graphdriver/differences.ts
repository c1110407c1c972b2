import assert from 'node:assert/strict';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { entriesOf } from '../../fakes/archive/tar-reader.ts';
import { ChangeKind } from '../../proto/gen/longshore/graphdriver/v1/layer.ts';
import { newId } from '../common/session.ts';
import { refused } from '../common/wire.ts';
import { apply, baseEntries, type Layers, removeAll } from './archives.ts';
import type { Current } from './current.ts';

const { CHANGE_KIND_MODIFIED: modified, CHANGE_KIND_ADDED: added, CHANGE_KIND_DELETED: deleted } = ChangeKind;

/** What a layer has that its parent has not. */
export function differenceSuite(target: { isLocal?: boolean }, current: Current): void {
  const needsFiles = { skip: target.isLocal !== true };
  const changesOf = async (layers: Layers, id: string) =>
    (await Array.fromAsync(layers.listChanges({ id }))).map(({ path, kind }) => [path, kind]);
  const diffOf = async (layers: Layers, id: string) => {
    const frames = (await Array.fromAsync(layers.diffLayer({ id }))).map(({ chunk }) => chunk);
    for (const frame of frames) assert(frame.length <= 1024 * 1024, 'a frame is at most 1 MiB');
    return entriesOf(Buffer.concat(frames));
  };

  describe('graphdriver: differences', () => {
    test('DiffLayer gives the layer as a tar archive', async () => {
      const { layers } = current();
      const big = { name: 'big', body: Buffer.alloc(2_500_000, 1) };
      const id = await apply(layers, [...baseEntries, big]);
      const entries = await diffOf(layers, id);
      const files = entries.filter(({ type }) => type === '0').map(({ name, body }) => [name, body.length] as const);
      assert.deepEqual(Object.fromEntries(files), { 'bin/tool': 3000, big: 2_500_000, 'etc/gone': 4, 'etc/motd': 5 });
      await removeAll(layers, id);
    });

    test('what it gives makes the same layer again, with whiteouts as OCI has them', async () => {
      const { layers } = current();
      const base = await apply(layers, baseEntries);
      const upper = [{ name: 'etc/' }, { name: 'etc/.wh.gone' }, { name: 'etc/motd', body: 'changed' }];
      const top = await apply(layers, upper, { parent: base });
      const entries = await diffOf(layers, top);
      const names = entries.filter(({ type }) => type === '0').map(({ name }) => name);
      assert.deepEqual(names.toSorted(), ['etc/.wh.gone', 'etc/motd']);
      await removeAll(layers, top, base);
    });

    test('ListChanges gives the paths that differ from the parent, sorted', async () => {
      const { layers } = current();
      const base = await apply(layers, baseEntries);
      const upper = [
        { name: 'new', body: '1' },
        { name: 'etc/' },
        { name: 'etc/motd', body: 'changed' },
        { name: 'etc/.wh.gone' },
      ];
      const top = await apply(layers, upper, { parent: base });
      assert.deepEqual(await changesOf(layers, top), [
        ['/etc', modified],
        ['/etc/gone', deleted],
        ['/etc/motd', modified],
        ['/new', added],
      ]);
      await removeAll(layers, top, base);
    });

    test('a new writable layer differs in nothing', async () => {
      const { layers } = current();
      const [base, id] = [await apply(layers, baseEntries), newId()];
      await layers.createLayer({ id, parent: base });
      assert.deepEqual(await changesOf(layers, id), []);
      await removeAll(layers, id, base);
    });

    test('of what is not there there is no difference: NOT_FOUND, LAYER_NOT_FOUND', async () => {
      const { layers } = current();
      await refused(layers.diffLayer({ id: newId() }), 'NOT_FOUND', 'LAYER_NOT_FOUND');
      await refused(layers.listChanges({ id: newId() }), 'NOT_FOUND', 'LAYER_NOT_FOUND');
    });

    test('what a container wrote and deleted is in the difference of its layer', needsFiles, async () => {
      const { layers } = current();
      const [base, id, holder] = [await apply(layers, baseEntries), newId(), newId()];
      await layers.createLayer({ id, parent: base });
      const { path } = await layers.mountLayer({ id, holder });
      await writeFile(join(path, 'etc/motd'), 'changed');
      await rm(join(path, 'etc/gone'));
      await mkdir(join(path, 'srv'));
      await writeFile(join(path, 'srv/page'), '12345678');
      const changes = [
        ['/etc', modified],
        ['/etc/gone', deleted],
        ['/etc/motd', modified],
        ['/srv', added],
        ['/srv/page', added],
      ];
      assert.deepEqual(await changesOf(layers, id), changes);
      assert.equal((await layers.getLayer({ id, measure: true })).layer?.size, 'changed'.length + 8);
      const entries = await diffOf(layers, id);
      const files = entries.filter(({ type }) => type === '0').map(({ name, body }) => [name, body.toString()]);
      assert.deepEqual(files.toSorted(), [
        ['etc/.wh.gone', ''],
        ['etc/motd', 'changed'],
        ['srv/page', '12345678'],
      ]);
      await layers.unmountLayer({ id, holder });
      assert.deepEqual(await changesOf(layers, id), changes);
      await removeAll(layers, id, base);
    });
  });
}
