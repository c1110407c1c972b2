import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { openContentStore } from './content.ts';
import { digestOf } from './digest.ts';
import { createLeases } from './leases.ts';
import { makeRoots } from './testing/running-graph.ts';

async function* pieces(...parts: string[]): AsyncGenerator<Uint8Array, void> {
  for (const part of parts) yield Buffer.from(part);
}

async function openStore(t: TestContext) {
  const { dataRoot } = await makeRoots(t);
  return { dataRoot, store: await openContentStore(dataRoot), lease: createLeases().open() };
}

test('a blob is named by its digest, and given back whole', async (t) => {
  const { dataRoot, store, lease } = await openStore(t);
  const { digest, size, stored } = await store.ingest(pieces('hel', 'lo'), lease);
  await stored;
  assert.deepEqual([digest, size], [digestOf('hello'), 5]);
  assert.equal(await readFile(join(dataRoot, store.path(digest)), 'utf8'), 'hello');
  assert.equal((await store.read(digest, 5))?.toString(), 'hello');
  assert.equal(await store.read(digest, 4), undefined);
  assert.deepEqual(await store.list(), [digest]);
});

test('the same bytes are kept once, also when they come at the same time', async (t) => {
  const { dataRoot, store, lease } = await openStore(t);
  const ingested = await Promise.all(Array.from({ length: 200 }, () => store.ingest(pieces('same'), lease)));
  await Promise.all(ingested.map(({ stored }) => stored));
  assert.deepEqual(await store.list(), [digestOf('same')]);
  assert.deepEqual(await readdir(join(dataRoot, 'graph', 'ingest')), []);
});

test('a source that fails leaves nothing', async (t) => {
  const { dataRoot, store, lease } = await openStore(t);
  async function* failing() {
    yield Buffer.from('half');
    throw new Error('cut');
  }
  await assert.rejects(store.ingest(failing(), lease), /cut/);
  assert.deepEqual(await store.list(), []);
  assert.deepEqual(await readdir(join(dataRoot, 'graph', 'ingest')), []);
});

test('what was unfinished is swept at the next start', async (t) => {
  const { dataRoot } = await openStore(t);
  await mkdir(join(dataRoot, 'graph', 'ingest'), { recursive: true });
  await writeFile(join(dataRoot, 'graph', 'ingest', 'left'), 'x');
  await openContentStore(dataRoot);
  assert.deepEqual(await readdir(join(dataRoot, 'graph', 'ingest')), []);
});

test('a blob that was changed on the disk is not believed', async (t) => {
  const { dataRoot, store, lease } = await openStore(t);
  const { digest, stored } = await store.ingest(pieces('good'), lease);
  await stored;
  await writeFile(join(dataRoot, store.path(digest)), 'evil');
  await assert.rejects(store.read(digest, 100), { reason: 'CONTENT_MISSING' });
});
