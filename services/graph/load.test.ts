import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { isServiceError } from '../../kit/errors.ts';
import { framesOf, importRootfs, list, load } from './testing/graph-client.ts';
import { classicArchive, classicEntries, imageOf, ociArchive, sha256 } from './testing/image-archives.ts';
import { startGraph } from './testing/running-graph.ts';
import { tarOf } from './testing/tar-writer.ts';

const hello = imageOf([[{ name: 'bin/sh', body: 'a shell' }], [{ name: 'etc/motd', body: 'hello' }]], {
  tags: ['hello:latest', 'registry.example/team/hello:1.0'],
  config: { Cmd: ['/bin/sh'], Labels: { a: 'b' } },
});

test('an archive of docker save becomes an image with its tags, config and layers', async (t) => {
  const graph = await startGraph(t);
  const answers = await load(graph, classicArchive([hello]));
  assert.deepEqual(answers.at(-1)?.event, {
    $case: 'loaded',
    value: { id: hello.id, tags: hello.tags, takenFrom: {} },
  });

  const { image } = await graph.images.getImage({ reference: 'hello', withConfigBytes: true });
  assert.equal(image?.id, hello.id);
  assert.deepEqual(image.tags, hello.tags.toSorted());
  assert.deepEqual(image.diffIds, hello.diffIds);
  assert.deepEqual(image.config?.cmd, ['/bin/sh']);
  assert.equal(image.created, '2024-05-01T10:00:00.123456789Z');
  assert.equal(
    image.size,
    hello.layers.reduce((sum, layer) => sum + layer.length, 0),
  );
  assert.ok(hello.config.equals(image.configBytes));
  const [first = '', second = ''] = hello.diffIds;
  assert.equal(image.topLayer, sha256(`${first} ${second}`));
  assert.equal(graph.fake.layers.get(image.topLayer)?.parent, first.slice('sha256:'.length));
});

test('only the layers’ blobs are kept of an archive', async (t) => {
  const graph = await startGraph(t);
  await load(graph, classicArchive([hello]));
  assert.deepEqual((await graph.blobs()).toSorted(), hello.layers.map(sha256).toSorted());
});

for (const [name, compress] of [
  ['gzip', gzipSync],
  ['zstd', zstdCompressSync],
] as const) {
  test(`an archive compressed with ${name} is taken, in frames of any size`, async (t) => {
    const graph = await startGraph(t);
    await load(graph, compress(classicArchive([hello])), 77);
    assert.equal((await list(graph)).length, 1);
  });
}

test('an archive with blobs and manifest.json is taken, its layers compressed or not', async (t) => {
  const graph = await startGraph(t);
  const stored = hello.layers.map((layer) => gzipSync(layer));
  await load(graph, ociArchive(hello, { withManifestJson: true, stored }));
  const { image } = await graph.images.getImage({ reference: 'hello:latest' });
  assert.deepEqual(image?.diffIds, hello.diffIds);
  assert.deepEqual((await graph.blobs()).toSorted(), stored.map(sha256).toSorted());
});

test('an OCI layout without manifest.json is taken by its index', async (t) => {
  const graph = await startGraph(t);
  await load(graph, ociArchive(hello, { withManifestJson: false }));
  assert.deepEqual(
    (await list(graph)).map(({ id, tags }) => ({ id, tags })),
    [{ id: hello.id, tags: hello.tags.toSorted() }],
  );
});

test('a layer that is a link to another layer inside the archive is that layer', async (t) => {
  const graph = await startGraph(t);
  const layer = [{ name: 'x', body: 'twice' }];
  const image = imageOf([layer, layer], { tags: ['twice:latest'] });
  const folder = sha256(image.layers[0] ?? '');
  const entries = classicEntries([image]).filter(({ name }) => name !== 'manifest.json');
  const manifest = [
    { Config: `${image.hex}.json`, RepoTags: image.tags, Layers: [`${folder}/layer.tar`, 'other/layer.tar'] },
  ];
  await load(
    graph,
    tarOf([
      ...entries,
      { name: 'other/layer.tar', type: '2', linkName: `../${folder}/layer.tar` },
      { name: 'manifest.json', body: JSON.stringify(manifest) },
    ]),
  );
  assert.equal((await list(graph))[0]?.diffIds.length, 2);
});

/** The frames of an archive up to a file, then, once `isTime`, the rest. */
async function* inTwo(archive: Buffer, name: string, isTime: () => boolean) {
  const at = archive.indexOf(name);
  assert.ok(at > 0);
  yield* framesOf(archive.subarray(0, at));
  while (!isTime()) await setImmediate();
  yield* framesOf(archive.subarray(at));
}

for (const [name, archive] of [
  ['of docker save', classicArchive([hello])],
  ['with its config first', ociArchive(hello, { withManifestJson: true })],
] as const) {
  test(`layers of an archive ${name} are made while it is on its way`, { timeout: 20_000 }, async (t) => {
    const graph = await startGraph(t);
    const frames = inTwo(archive, 'manifest.json', () => graph.fake.layers.size === hello.layers.length);
    await Array.fromAsync(graph.images.loadImages(frames));
    const [image] = await list(graph);
    assert.equal(image?.id, hello.id);
    assert.equal(graph.fake.layers.get(image.topLayer)?.parent, hello.diffIds[0]?.slice('sha256:'.length));
    assert.deepEqual(graph.fake.sources.length, hello.layers.length);
  });
}

test('layers that come in another order than they lie in are made as the manifest says, and no others stay', async (t) => {
  const graph = await startGraph(t);
  const entries = classicEntries([hello]);
  const isOf = (layer: Buffer | undefined) => (entry: { name: string }) => entry.name.startsWith(sha256(layer ?? ''));
  const [first, second] = hello.layers;
  const turned = [...entries.filter(isOf(second)), ...entries.filter(isOf(first)), ...entries.slice(-2)];
  const before = inTwo(tarOf(turned), `${hello.hex}.json`, () => graph.fake.layers.size === 2);
  await Array.fromAsync(graph.images.loadImages(before));
  const [image] = await list(graph);
  assert.deepEqual(image?.diffIds, hello.diffIds);
  const [base = ''] = hello.diffIds;
  assert.deepEqual([...graph.fake.layers.keys()].toSorted(), [base.slice('sha256:'.length), image.topLayer].toSorted());
  assert.deepEqual((await graph.blobs()).toSorted(), hello.layers.map(sha256).toSorted());
});

test('of an archive that breaks off after its layers none stays', async (t) => {
  const graph = await startGraph(t);
  const archive = classicArchive([hello]);
  const frames = inTwo(archive.subarray(0, archive.indexOf('manifest.json') + 100), 'manifest.json', () => {
    return graph.fake.layers.size === hello.layers.length;
  });
  await assert.rejects(Array.fromAsync(graph.images.loadImages(frames)), { reason: 'BAD_ARCHIVE' });
  assert.equal(graph.fake.layers.size, 0);
  assert.deepEqual(await graph.blobs(), []);
});

test('layers that are there already are not applied again', async (t) => {
  const graph = await startGraph(t);
  await load(graph, classicArchive([hello]));
  const applied = graph.fake.sources.length;
  const more = imageOf([[{ name: 'bin/sh', body: 'a shell' }]], { tags: ['base:latest'], config: { Cmd: ['x'] } });
  await load(graph, classicArchive([more, hello]));
  assert.equal(graph.fake.sources.length, applied);
  assert.equal((await list(graph)).length, 2);
});

test('a tag that moves leaves the older image without it, and that is said', async (t) => {
  const graph = await startGraph(t);
  await load(graph, classicArchive([hello]));
  const newer = imageOf([[{ name: 'new', body: '1' }]], { tags: ['hello:latest'] });
  const answers = await load(graph, classicArchive([newer]));
  assert.deepEqual(answers.at(-1)?.event, {
    $case: 'loaded',
    value: { id: newer.id, tags: ['hello:latest'], takenFrom: { 'hello:latest': hello.id } },
  });
  const { image } = await graph.images.getImage({ reference: hello.id });
  assert.deepEqual(image?.tags, ['registry.example/team/hello:1.0']);
});

test('a load that is broken off leaves nothing, and the images that were finished', async (t) => {
  const graph = await startGraph(t);
  const fine = imageOf([[{ name: 'fine', body: '1' }]], { tags: ['fine:latest'] });
  const broken = imageOf([[{ name: 'one', body: '1' }], [{ name: 'two', body: '2' }]], { tags: ['broken:latest'] });
  graph.fake.beforeApply = () => {
    if (graph.fake.layers.size === 2) throw new Error('the disk is on fire');
  };
  await assert.rejects(load(graph, classicArchive([fine, broken])), /the disk is on fire/);
  assert.deepEqual(
    (await list(graph)).map(({ tags }) => tags),
    [['fine:latest']],
  );
  assert.equal(graph.fake.layers.size, 1);
  assert.deepEqual(await graph.blobs(), fine.layers.map(sha256));
});

test('a removal meanwhile does not take the layers that a load counts on', async (t) => {
  const graph = await startGraph(t);
  await load(graph, classicArchive([hello]));
  const base = [{ name: 'bin/sh', body: 'a shell' }];
  const other = imageOf([base, [{ name: 'other', body: 'x' }]], { tags: ['other:latest'] });
  const reached = Promise.withResolvers<void>();
  const goOn = Promise.withResolvers<void>();
  graph.fake.beforeApply = async () => {
    reached.resolve();
    await goOn.promise;
  };
  const loading = load(graph, classicArchive([other]));
  await reached.promise;
  await graph.images.removeImage({ reference: hello.id, force: true });
  goOn.resolve();
  await loading;
  const [image] = await list(graph);
  assert.deepEqual(image?.tags, ['other:latest']);
  assert.ok(graph.fake.layers.has(image.topLayer));
  assert.equal(graph.fake.layers.size, 2);
});

test('docker import makes an image of one layer with the changes in its config', async (t) => {
  const graph = await startGraph(t);
  const rootfs = tarOf([{ name: 'bin/sh', body: 'a shell' }]);
  const id = await importRootfs(graph, gzipSync(rootfs), {
    repository: 'imported',
    message: 'from a disk',
    changes: ['CMD ["sh", "-c", "true"]', 'ENV A=1 B="two words"', 'EXPOSE 80 53/udp'],
    platform: 'linux/arm64',
  });
  const { image } = await graph.images.getImage({ reference: 'imported:latest' });
  assert.equal(image?.id, id);
  assert.deepEqual(image.diffIds, [`sha256:${sha256(rootfs)}`]);
  assert.deepEqual(image.config?.cmd, ['sh', '-c', 'true']);
  assert.deepEqual(image.config.env, ['A=1', 'B=two words']);
  assert.deepEqual(image.config.exposedPorts, ['53/udp', '80/tcp']);
  assert.deepEqual([image.os, image.architecture, image.comment], ['linux', 'arm64', 'from a disk']);
  assert.equal(image.history[0]?.comment, 'from a disk');
});

test('a change that docker import does not know is refused before the archive is read', async (t) => {
  const graph = await startGraph(t);
  await assert.rejects(importRootfs(graph, tarOf([]), { changes: ['RUN true'] }), {
    code: 'INVALID_ARGUMENT',
    reason: 'BAD_CHANGE',
    message: 'RUN is not a valid change command',
  });
});

test('without a common data root the archive is streamed to the layer store', async (t) => {
  const graph = await startGraph(t);
  await load(graph, classicArchive([hello]));
  assert.deepEqual(new Set(graph.fake.sources), new Set(['stream']));
});

test('a load whose client goes away leaves nothing', async (t) => {
  const graph = await startGraph(t);
  const client = new AbortController();
  const large = imageOf([[{ name: 'l', body: Buffer.alloc(2_000_000, 'l') }], [{ name: 'u', body: 'u' }]]);
  async function* half() {
    const archive = classicArchive([large]);
    yield* framesOf(archive.subarray(0, archive.length - 1000));
    await once(client.signal, 'abort');
  }
  const loading = Array.fromAsync(graph.images.loadImages(half(), { signal: client.signal }));
  while ((await graph.blobs()).length === 0) await setImmediate();
  client.abort();
  await assert.rejects(loading);
  while ((await graph.blobs()).length > 0) await setImmediate();
  assert.deepEqual(await readdir(join(graph.dataRoot, 'graph', 'ingest')), []);
});

test('a layer that is not what the config says is a bad archive, with the layer named', async (t) => {
  const graph = await startGraph(t);
  const image = imageOf([[{ name: 'a', body: 'x' }]], { tags: ['wrong:1'] });
  const other = imageOf([[{ name: 'a', body: 'y' }]]);
  const error = await load(graph, classicArchive([{ ...image, layers: other.layers }])).catch(
    (reason: unknown) => reason,
  );
  assert.ok(isServiceError(error, 'BAD_ARCHIVE'), String(error));
  assert.match(error.message, new RegExp(`^layer ${image.diffIds[0]}: `));
  assert.deepEqual(await graph.blobs(), []);
});
