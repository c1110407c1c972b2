import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { mostLayers } from './archive/image-archive.ts';
import type { Ingested } from './content.ts';
import { type Digest, digestOf } from './digest.ts';
import { earlyLayers } from './early-layers.ts';
import { createLeases } from './leases.ts';

/** What comes of an archive, in memory, and the diff ids of what is made of it. */
function archive() {
  const blobs = new Map<Digest, Buffer>();
  const made: string[] = [];
  const absent = () => Promise.reject(new Error('not used here'));
  const content = {
    head: async (digest: Digest) => (blobs.get(digest) ?? Buffer.alloc(0)).subarray(0, 512),
    read: async (digest: Digest) => blobs.get(digest),
    ingest: absent,
    path: () => '',
    async *stream() {},
    remove: absent,
    list: absent,
  };
  const layers = {
    find: async () => undefined,
    async apply({ id, diffId }: { id: string; diffId: string }) {
      made.push(diffId);
      return { id, diffId, size: 0 };
    },
    remove: absent,
    list: absent,
    close() {},
  };
  const early = earlyLayers({ content, layers }, createLeases().open(), new AbortController().signal);
  const came = (bytes: Buffer) => {
    const file: Ingested = { digest: digestOf(bytes), size: bytes.length, stored: Promise.resolve() };
    blobs.set(file.digest, bytes);
    early.came(file);
  };
  return { early, came, made };
}

const layer = (name: string) =>
  Buffer.concat([Buffer.from(name.padEnd(257, '\0')), Buffer.from('ustar'.padEnd(255, '\0'))]);
const config = (diffIds: readonly Digest[]) =>
  Buffer.from(JSON.stringify({ rootfs: { type: 'layers', diff_ids: diffIds } }));
const some = (count: number, seed: string) => Array.from({ length: count }, (_, i) => digestOf(`${seed} ${i}`));

/** How many are made when two layers have come behind these configs and one that names both, in the other order. */
async function madeAfter(...configs: Buffer[]): Promise<number> {
  const { early, came, made } = archive();
  for (const each of configs) came(each);
  const [first, second] = [layer('first'), layer('second')];
  came(config([digestOf(second), digestOf(first)]));
  came(first);
  came(second);
  // Nothing here takes longer.
  await setImmediate();
  await early.end();
  return made.length;
}

test('a config tells the order; what it does not name is not guessed at any more', async () => {
  assert.equal(await madeAfter(), 2);
  assert.equal(await madeAfter(config(some(3, 'other'))), 2);
});

test('configs without end, and such with more layers than any image has, are not noted', async () => {
  const many = Array.from({ length: 17 }, (_, i) => config(some(mostLayers, `image ${i}`)));
  assert.equal(await madeAfter(...many), 0);
  const monsters = Array.from({ length: 16 }, (_, i) => config(some(mostLayers + 1, `monster ${i}`)));
  assert.equal(await madeAfter(...monsters), 2);
});
