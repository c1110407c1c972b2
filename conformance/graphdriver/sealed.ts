import assert from 'node:assert/strict';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { tarOf } from '../../fakes/archive/tar-writer.ts';
import { Outcome } from '../../proto/gen/longshore/contract/v1/outcome.ts';
import { newId } from '../common/session.ts';
import { refused } from '../common/wire.ts';
import { apply, baseEntries, diffIdOf, frames, type LayerWish, removeAll } from './archives.ts';
import type { Current } from './current.ts';

const { OUTCOME_DONE, OUTCOME_ALREADY } = Outcome;

/** Layers from archives. */
export function sealedSuite(target: { dataRoot?: string; restart?: () => Promise<void> }, current: Current): void {
  const archive = tarOf(baseEntries);
  const send = (wish: LayerWish, bytes = archive, frameBytes?: number) =>
    current().layers.applyLayer(frames(wish, bytes, frameBytes));
  const isAbsent = (id: string) => refused(current().layers.getLayer({ id }), 'NOT_FOUND', 'LAYER_NOT_FOUND');

  describe('graphdriver: sealed layers', () => {
    test('ApplyLayer makes a sealed layer from a tar archive and says what it is', async () => {
      const { layers } = current();
      const id = newId();
      const { outcome, layer } = await send({ id, labels: { a: 'b' } });
      assert.equal(outcome, OUTCOME_DONE);
      assert.equal(layer?.id, id);
      assert.equal(layer.parent, '');
      assert.equal(layer.writable, false);
      assert.equal(layer.diffId, diffIdOf(archive));
      assert.equal(layer.size, 'hello'.length + 'soon'.length + 3000);
      assert.deepEqual([layer.labels, layer.holders], [{ a: 'b' }, []]);
      assert(layer.createdAtNs > 0n);
      const found = (await layers.getLayer({ id })).layer;
      // Where it is, GetLayer alone tells.
      assert.deepEqual({ ...found, directories: {} }, layer);
      for (const directory of Object.values(found?.directories ?? {})) assert.match(directory, /^\//);
      await removeAll(layers, id);
    });

    test('an archive may be compressed with gzip or zstd; its diff id is that of the uncompressed one', async () => {
      const { layers } = current();
      for (const compressed of [gzipSync(archive), zstdCompressSync(archive)]) {
        const id = newId();
        const { layer } = await send({ id, expectedDiffId: diffIdOf(archive) }, compressed, 100);
        assert.equal(layer?.diffId, diffIdOf(archive));
        await removeAll(layers, id);
      }
    });

    test('applying what exists with the same parent is ALREADY', async () => {
      const id = newId();
      const { layer } = await send({ id });
      const again = await send({ id });
      assert.equal(again.outcome, OUTCOME_ALREADY);
      assert.deepEqual(again.layer, layer);
      await removeAll(current().layers, id);
    });

    test('applying what exists with another parent is refused', async () => {
      const { layers } = current();
      const [parent, id] = [await apply(layers, baseEntries), newId()];
      await send({ id });
      await refused(send({ id, parent }), 'ALREADY_EXISTS');
      await removeAll(layers, id, parent);
    });

    test('a parent that is not there is NOT_FOUND, LAYER_NOT_FOUND', async () => {
      await refused(send({ id: newId(), parent: newId() }), 'NOT_FOUND', 'LAYER_NOT_FOUND');
    });

    test('an id that is not 64 hex digits is INVALID_ARGUMENT', async () => {
      await refused(send({ id: 'short' }), 'INVALID_ARGUMENT');
    });

    test('a label of more than 4096 bytes is INVALID_ARGUMENT', async () => {
      const id = newId();
      await refused(send({ id, labels: { a: 'b'.repeat(4096) } }), 'INVALID_ARGUMENT');
      await isAbsent(id);
    });

    test('another content than expected is INVALID_ARGUMENT, DIGEST_MISMATCH, and no layer', async () => {
      const id = newId();
      const expectedDiffId = diffIdOf(Buffer.from('something else'));
      await refused(send({ id, expectedDiffId }), 'INVALID_ARGUMENT', 'DIGEST_MISMATCH');
      await isAbsent(id);
    });

    test('what is no archive is INVALID_ARGUMENT, BAD_ARCHIVE, and no layer', async () => {
      const id = newId();
      await refused(send({ id }, Buffer.alloc(2048, 'x')), 'INVALID_ARGUMENT', 'BAD_ARCHIVE');
      await isAbsent(id);
    });

    test('an archive that is cut short is BAD_ARCHIVE, and no layer', async () => {
      const id = newId();
      await refused(send({ id }, archive.subarray(0, archive.length - 1024 - 1024)), 'INVALID_ARGUMENT', 'BAD_ARCHIVE');
      await isAbsent(id);
    });

    test('an entry that leads out of the layer is BAD_ARCHIVE, naming the entry, and no layer', async () => {
      const id = newId();
      const hostile = tarOf([{ name: '../../conformance-escape', body: 'out' }]);
      const refusal = await refused(send({ id }, hostile), 'INVALID_ARGUMENT', 'BAD_ARCHIVE');
      assert.match(refusal.message, /conformance-escape/);
      await isAbsent(id);
    });

    test('a first frame that is no header is INVALID_ARGUMENT', async () => {
      async function* headless() {
        yield { frame: { $case: 'chunk', value: archive } } as const;
      }
      await refused(current().layers.applyLayer(headless()), 'INVALID_ARGUMENT');
    });

    test('a caller that goes away in the middle leaves no layer', async () => {
      const id = newId();
      const ending = new AbortController();
      async function* half() {
        for await (const frame of frames({ id }, archive, 512)) {
          yield frame;
          if (frame.frame?.$case === 'chunk') break;
        }
        ending.abort();
        await new Promise(() => undefined);
      }
      await assert.rejects(current().layers.applyLayer(half(), { signal: ending.signal }));
      await isAbsent(id);
      assert.equal((await send({ id })).outcome, OUTCOME_DONE);
      await removeAll(current().layers, id);
    });

    const needsRoot = { skip: target.dataRoot === undefined };

    test('an archive may be handed over as a path relative to the data root', needsRoot, async () => {
      const { layers } = current();
      const folder = join(target.dataRoot ?? '', 'conformance');
      await mkdir(folder, { recursive: true });
      await writeFile(join(folder, 'layer.tar.gz'), gzipSync(archive));
      async function* request(id: string, path: string) {
        const source = { $case: 'path', value: path } as const;
        yield { frame: { $case: 'header', value: { id, source } } } as const;
      }
      const id = newId();
      const { outcome, layer } = await layers.applyLayer(request(id, 'conformance/layer.tar.gz'));
      assert.deepEqual([outcome, layer?.diffId], [OUTCOME_DONE, diffIdOf(archive)]);
      await refused(layers.applyLayer(request(newId(), '../../etc/passwd')), 'INVALID_ARGUMENT');
      await removeAll(layers, id);
      await rm(folder, { recursive: true });
    });

    test('ListLayers gives each layer once, and only those that carry all of the labels', async () => {
      const { layers } = current();
      const group = newId();
      const one = await apply(layers, baseEntries, { labels: { group, kind: 'one' } });
      const two = await apply(layers, baseEntries, { labels: { group, kind: 'two' } });
      const list = async (request: Parameters<typeof layers.listLayers>[0]) =>
        (await Array.fromAsync(layers.listLayers(request))).map(({ layer }) => layer?.id);
      const all = await list({});
      for (const id of [one, two]) assert.equal(all.filter((each) => each === id).length, 1);
      assert.deepEqual((await list({ labels: { group } })).sort(), [one, two].sort());
      assert.deepEqual(await list({ labels: { group, kind: 'two' } }), [two]);
      assert.deepEqual(await list({ labels: { group }, writableOnly: true }), []);
      await removeAll(layers, one, two);
    });

    test('layers are there after a restart', { skip: target.restart === undefined }, async () => {
      const { layers } = current();
      const id = await apply(layers, baseEntries);
      const { layer } = await layers.getLayer({ id });
      await target.restart?.();
      assert.deepEqual((await layers.getLayer({ id })).layer, layer);
      await removeAll(layers, id);
    });
  });
}
