import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Outcome } from '../../proto/gen/longshore/contract/v1/outcome.ts';
import { importRootfs, list, load } from './testing/graph-client.ts';
import { classicArchive, imageOf } from './testing/image-archives.ts';
import { startGraph } from './testing/running-graph.ts';
import { tarOf } from './testing/tar-writer.ts';

const one = imageOf([[{ name: 'one', body: '1' }]], {
  tags: ['one:latest', 'team/one:v1'],
  config: { Labels: { kind: 'a', only: '' } },
});
const two = imageOf([[{ name: 'two', body: '2' }]], { tags: ['two:latest'], config: { Labels: { kind: 'b' } } });
const bare = imageOf([[{ name: 'bare', body: '3' }]]);
const holder = 'a'.repeat(64);

async function withImages(t: Parameters<typeof startGraph>[0]) {
  const graph = await startGraph(t);
  await load(graph, classicArchive([one, two, bare]));
  return graph;
}

for (const [what, reference] of [
  ['a name', 'one'],
  ['a name with its tag', 'team/one:v1'],
  ['an official name at length', 'library/one:latest'],
  ['an id', one.id],
  ['an id without its algorithm', one.hex],
  ['a prefix', one.hex.slice(0, 10)],
  ['a prefix with the algorithm', `sha256:${one.hex.slice(0, 10)}`],
  ['a name with the image’s digest', `one@${one.id}`],
] as const) {
  test(`an image is found by ${what}`, async (t) => {
    const graph = await withImages(t);
    assert.equal((await graph.images.getImage({ reference })).image?.id, one.id);
  });
}

test('another image’s name with the digest is not found', async (t) => {
  const graph = await withImages(t);
  const reference = `two@${one.id}`;
  await assert.rejects(graph.images.getImage({ reference }), { message: `No such image: ${reference}` });
});

test('a prefix of several ids is ambiguous, unless it is a name', async (t) => {
  const graph = await startGraph(t);
  const ids: string[] = [];
  for (let i = 0; i < 17; i++) ids.push(await importRootfs(graph, tarOf([{ name: `file${i}` }])));
  const firsts = ids.map((id) => id.slice('sha256:'.length).charAt(0));
  const twice = firsts.find((first, i) => firsts.indexOf(first) !== i) ?? '';
  await assert.rejects(graph.images.getImage({ reference: twice }), {
    code: 'INVALID_ARGUMENT',
    reason: 'AMBIGUOUS_ID',
    message: `several images have an id that begins with ${twice}: give more of it`,
  });
  await graph.images.tagImage({ source: ids[0] ?? '', repository: twice });
  assert.equal((await graph.images.getImage({ reference: twice })).image?.id, ids[0]);
});

test('images are listed once each, by name, label and whether they have a tag', async (t) => {
  const graph = await withImages(t);
  const ids = async (filter: object) => (await list(graph, filter)).map(({ id }) => id).toSorted();
  assert.deepEqual(await ids({}), [one.id, two.id, bare.id].toSorted());
  assert.deepEqual(await ids({ dangling: true }), [bare.id]);
  assert.deepEqual(await ids({ dangling: false }), [one.id, two.id].toSorted());
  assert.deepEqual(await ids({ labels: { kind: 'a' } }), [one.id]);
  assert.deepEqual(await ids({ labels: { kind: '' } }), [one.id, two.id].toSorted());
  assert.deepEqual(await ids({ labels: { constructor: '' } }), []);
  assert.deepEqual(await ids({ references: ['t*', 'none'] }), [two.id]);
  const [narrowed] = await list(graph, { references: ['*/one'] });
  assert.deepEqual(narrowed?.tags, ['team/one:v1']);
});

test('a tag is made once, moved when another image has it, and says what it did', async (t) => {
  const graph = await withImages(t);
  const tag = (source: string) => graph.images.tagImage({ source, repository: 'mine', tag: '' });
  assert.deepEqual(await tag('one'), { outcome: Outcome.OUTCOME_DONE, imageId: one.id });
  assert.equal((await tag('one')).outcome, Outcome.OUTCOME_ALREADY);
  assert.equal((await tag('two')).outcome, Outcome.OUTCOME_DONE);
  const { image } = await graph.images.getImage({ reference: 'mine' });
  assert.equal(image?.id, two.id);
  assert.ok(image.lastTaggedAtNs > 0n);
});

test('a holder is recorded with the image in one call, once, and released once', async (t) => {
  const graph = await withImages(t);
  const acquire = () => graph.images.acquireImage({ reference: 'one', holder });
  const first = await acquire();
  assert.equal(first.outcome, Outcome.OUTCOME_DONE);
  assert.deepEqual([first.image?.id, first.image?.holders], [one.id, [holder]]);
  assert.equal((await acquire()).outcome, Outcome.OUTCOME_ALREADY);
  assert.equal((await graph.images.releaseImage({ id: one.id, holder })).outcome, Outcome.OUTCOME_DONE);
  assert.equal((await graph.images.releaseImage({ id: one.id, holder })).outcome, Outcome.OUTCOME_ABSENT);
  await assert.rejects(graph.images.acquireImage({ reference: 'none', holder }), { reason: 'IMAGE_NOT_FOUND' });
});

test('holders survive a restart, until reconciliation drops those that are no more', async (t) => {
  const graph = await withImages(t);
  for (const name of ['x', 'y']) await graph.images.acquireImage({ reference: 'one', holder: name });
  await graph.restart();
  const { released } = await graph.images.reconcileHolders({
    holdings: [
      { holder: 'y', imageId: one.id },
      { holder: 'z', imageId: two.hex },
      { holder: 'gone', imageId: `sha256:${'0'.repeat(64)}` },
    ],
  });
  assert.deepEqual(released, ['x']);
  const holders = Object.fromEntries((await list(graph)).map((image) => [image.id, image.holders]));
  assert.deepEqual(holders, { [one.id]: ['y'], [two.id]: ['z'], [bare.id]: [] });
});
