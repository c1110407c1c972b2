import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { afterwards } from './testing/cleanup.ts';
import { serveFakeLayers } from './testing/fake-layers.ts';
import { framesOf, initialise, list, load } from './testing/graph-client.ts';
import { connectGraph, spawnService } from './testing/graph-process.ts';
import { classicArchive, imageOf, sha256 } from './testing/image-archives.ts';
import { makeRoots } from './testing/running-graph.ts';

const fine = imageOf([[{ name: 'fine', body: '1' }]], { tags: ['fine:latest'] });
const large = imageOf(
  [[{ name: 'lower', body: Buffer.alloc(3_000_000, 'l') }], [{ name: 'upper', body: Buffer.alloc(3_000_000, 'u') }]],
  { tags: ['large:latest'] },
);

async function withProcess(t: TestContext) {
  const roots = await makeRoots(t);
  const fake = await serveFakeLayers(join(roots.execRoot, 'graphdriver.sock'), roots.dataRoot);
  afterwards(t, () => fake.stop());
  const files = async (folder: string) => (await readdir(join(roots.dataRoot, 'graph', folder))).toSorted();
  const run = async () => {
    const service = spawnService(t, 'graph', roots);
    return { service, client: await connectGraph(t, roots.execRoot) };
  };
  return { fake, files, run };
}

test('killed while an archive comes in, it has nothing of it after a restart', async (t) => {
  const { fake, files, run } = await withProcess(t);
  const { service, client } = await run();
  await initialise(client, fake);
  await load(client, classicArchive([fine]));

  const sent = Promise.withResolvers<void>();
  const never = Promise.withResolvers<void>();
  async function* half() {
    const archive = classicArchive([large]);
    yield* framesOf(archive.subarray(0, Math.ceil(archive.length * 0.7)));
    sent.resolve();
    await never.promise;
  }
  const loading = assert.rejects(Array.fromAsync(client.images.loadImages(half())));
  await sent.promise;
  // The first layer's blob has its name by the time that the second one's file grows.
  while ((await files('blobs/sha256')).length < 3 || (await files('ingest')).length === 0) await setImmediate();
  await service.kill();
  never.resolve();
  await loading;

  const { client: again } = await run();
  assert.deepEqual(
    (await list(again)).map(({ tags }) => tags),
    [['fine:latest']],
  );
  assert.deepEqual(await files('blobs/sha256'), fine.layers.map(sha256));
  assert.deepEqual(await files('ingest'), []);
});

test('killed while layers are made, it removes those that no image has with the next Init', async (t) => {
  const { fake, files, run } = await withProcess(t);
  const { service, client } = await run();
  await initialise(client, fake);
  await load(client, classicArchive([fine]));

  const reached = Promise.withResolvers<void>();
  const goOn = Promise.withResolvers<void>();
  afterwards(t, () => goOn.resolve());
  fake.beforeApply = async () => {
    if (fake.layers.size < 2) return;
    reached.resolve();
    await goOn.promise;
  };
  const loading = assert.rejects(load(client, classicArchive([large])));
  await reached.promise;
  await service.kill();
  await loading;
  assert.equal(fake.layers.size, 2);

  const { client: again } = await run();
  await initialise(again, { ...fake, epoch: 2 });
  assert.equal(fake.layers.size, 1);
  assert.deepEqual(
    (await list(again)).map(({ id }) => id),
    [fine.id],
  );
  assert.deepEqual(await files('blobs/sha256'), fine.layers.map(sha256));

  fake.beforeApply = () => undefined;
  await load(again, classicArchive([large]));
  assert.equal((await list(again)).length, 2);
});

test('killed right after an image was told to be loaded, it has the image', async (t) => {
  const { fake, run } = await withProcess(t);
  const { service, client } = await run();
  await initialise(client, fake);
  for await (const { event } of client.images.loadImages(framesOf(classicArchive([large])))) {
    if (event?.$case === 'loaded') break;
  }
  await service.kill();
  const { client: again } = await run();
  assert.equal((await again.images.getImage({ reference: 'large' })).image?.id, large.id);
});
