import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { list, load } from './testing/graph-client.ts';
import { classicArchive, classicEntries, imageOf, ociArchive, sha256 } from './testing/image-archives.ts';
import { startGraph } from './testing/running-graph.ts';
import { tarOf, type WrittenEntry } from './testing/tar-writer.ts';

const image = imageOf([[{ name: 'file', body: 'content' }]], { tags: ['app:latest'] });

/** The archive of the image, with other things under some names. */
function changed(...entries: WrittenEntry[]): Buffer {
  return tarOf([...classicEntries([image]), ...entries]);
}

function manifest(changes: object): WrittenEntry {
  const item = {
    Config: `${image.hex}.json`,
    RepoTags: image.tags,
    Layers: [`${sha256(image.layers[0] ?? '')}/layer.tar`],
  };
  return { name: 'manifest.json', body: JSON.stringify([{ ...item, ...changes }]) };
}

function config(changes: object): WrittenEntry {
  const file = JSON.parse(image.config.toString()) as object;
  return { name: `${image.hex}.json`, body: JSON.stringify({ ...file, ...changes }) };
}

const corrupt = gzipSync(classicArchive([image]));
corrupt.fill(0, corrupt.length - 8);

for (const [what, archive, message] of [
  ['nothing at all', Buffer.alloc(0), 'the archive: is no image archive: it has no manifest.json'],
  ['a tar of other things', tarOf([{ name: 'a' }]), 'the archive: is no image archive: it has no manifest.json'],
  ['gzip that is damaged', corrupt, 'the archive: is damaged gzip data'],
  ['gzip that is cut off', gzipSync(classicArchive([image])).subarray(0, 200), 'the archive: is damaged gzip data'],
  [
    'xz',
    Buffer.from('fd377a585a000004', 'hex'),
    'the archive: is compressed with xz; plain tar, gzip and zstd are understood',
  ],
  ['a manifest that is no JSON', changed({ name: 'manifest.json', body: '{' }), 'manifest.json: is not JSON'],
  [
    'a manifest of null',
    changed({ name: 'manifest.json', body: 'null' }),
    'manifest.json: the document must be of type array',
  ],
  ['layers that are no list', changed(manifest({ Layers: 'x' })), 'manifest.json: 0.Layers must be of type array'],
  [
    'a config that is not there',
    changed(manifest({ Config: 'x.json' })),
    'x.json: is named in the archive but not in it',
  ],
  [
    'a layer outside the archive',
    changed(manifest({ Layers: ['../../../etc/passwd'] })),
    '../../../etc/passwd: is named in the archive but not in it',
  ],
  [
    'a link out of the archive',
    changed({ name: 'out', type: '2', linkName: '/etc/passwd' }, manifest({ Layers: ['out'] })),
    'out: is named in the archive but not in it',
  ],
  [
    'a link to itself',
    changed({ name: 'loop', type: '2', linkName: 'loop' }, manifest({ Layers: ['loop'] })),
    'loop: is named in the archive but not in it',
  ],
  [
    'more layers than the config has',
    changed(manifest({ Layers: ['a', 'b'] })),
    `${image.hex}.json: invalid manifest, layers length mismatch: expected 2, got 1`,
  ],
  [
    'a tag that is none',
    changed(manifest({ RepoTags: ['UPPER:x'] })),
    'invalid reference format: repository name (UPPER) must be lowercase',
  ],
  ['a tag without a tag', changed(manifest({ RepoTags: ['app'] })), 'manifest.json: invalid tag "app"'],
  [
    'a config without layers',
    changed(config({ rootfs: undefined })),
    `${image.hex}.json: rootfs must be of type object`,
  ],
  [
    'a diff id that is none',
    changed(config({ rootfs: { diff_ids: ['../x'] } })),
    `${image.hex}.json: rootfs.diff_ids.0 is not valid`,
  ],
  [
    'an environment of numbers',
    changed(config({ config: { Env: [1] } })),
    `${image.hex}.json: config.Env.0 must be of type string`,
  ],
  ['another system', changed(config({ os: 'windows' })), 'cannot load windows image on linux'],
  [
    'a config of many megabytes',
    changed({ name: `${image.hex}.json`, body: Buffer.alloc(9 * 1024 * 1024, ' ') }),
    `${image.hex}.json: is longer than 8388608 bytes`,
  ],
  [
    'a blob that is not what its name says',
    ociArchive({ ...image, layers: [Buffer.from('other')] }, { withManifestJson: true, stored: image.layers }).fill(
      1,
      4000,
      4010,
    ),
    undefined,
  ],
  [
    'a layer that is not what the config says',
    changed({ name: `${sha256(image.layers[0] ?? '')}/layer.tar`, body: tarOf([]) }),
    `layer ${image.diffIds[0]}: the archive is not what was expected`,
  ],
] as const) {
  test(`${what} is refused and leaves nothing`, async (t) => {
    const graph = await startGraph(t);
    await assert.rejects(load(graph, archive), {
      code: 'INVALID_ARGUMENT',
      ...(message !== undefined && { message }),
    });
    assert.deepEqual(await list(graph), []);
    assert.deepEqual(await graph.blobs(), []);
    assert.equal(graph.fake.layers.size, 0);
  });
}

test('a long name in a broken archive does not break the answer', async (t) => {
  const graph = await startGraph(t);
  await assert.rejects(load(graph, changed(manifest({ Config: 'x'.repeat(1_000_000) }))), { reason: 'BAD_ARCHIVE' });
  await assert.rejects(load(graph, changed(manifest({ RepoTags: ['X'.repeat(1_000_000)] }))), {
    reason: 'BAD_REFERENCE',
  });
});

test('names in an archive make no files outside the content store', async (t) => {
  const graph = await startGraph(t);
  await load(graph, changed({ name: '../../../../escaped', body: 'x' }, { name: '/tmp/escaped', body: 'x' }));
  assert.deepEqual(await graph.blobs(), image.layers.map(sha256));
});
