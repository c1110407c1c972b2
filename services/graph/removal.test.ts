import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Outcome } from '../../proto/gen/longshore/contract/v1/outcome.ts';
import { list, load } from './testing/graph-client.ts';
import { classicArchive, imageOf, sha256 } from './testing/image-archives.ts';
import { startGraph } from './testing/running-graph.ts';

const base = [{ name: 'base', body: 'base' }];
const app = imageOf([base, [{ name: 'app', body: '1' }]], { tags: ['app:latest'] });
const sibling = imageOf([base, [{ name: 'other', body: '2' }]], { tags: ['sibling:latest'] });
const short = app.hex.slice(0, 12);
const container = 'c'.repeat(64);

async function withApp(t: Parameters<typeof startGraph>[0]) {
  const graph = await startGraph(t);
  await load(graph, classicArchive([app]));
  const remove = (reference: string, options: { force?: boolean; runningHolders?: string[] } = {}) =>
    graph.images.removeImage({ reference, ...options });
  const hold = () => graph.images.acquireImage({ reference: 'app', holder: container });
  const tag = (repository: string, name = '') => graph.images.tagImage({ source: app.id, repository, tag: name });
  return { ...graph, remove, hold, tag };
}

function conflict(message: string, reason: string) {
  return { code: 'FAILED_PRECONDITION', message: `conflict: ${message}`, reason };
}

test('the last tag takes the image with it, its layers and its blobs', async (t) => {
  const graph = await withApp(t);
  const answer = await graph.remove('app:latest');
  assert.equal(answer.outcome, Outcome.OUTCOME_DONE);
  assert.deepEqual(answer.untagged, ['app:latest']);
  const [lower = '', upper = ''] = app.diffIds;
  assert.deepEqual(answer.deleted, [app.id, `sha256:${sha256(`${lower} ${upper}`)}`, lower]);
  assert.deepEqual(await list(graph), []);
  assert.equal(graph.fake.layers.size, 0);
  assert.deepEqual(await graph.blobs(), []);
});

test('layers that another image has stay', async (t) => {
  const graph = await withApp(t);
  await load(graph, classicArchive([sibling]));
  const { deleted } = await graph.remove('app');
  assert.equal(deleted.length, 2);
  assert.equal(graph.fake.layers.size, 2);
  assert.deepEqual((await graph.blobs()).toSorted(), sibling.layers.map(sha256).toSorted());
});

test('one of several tags goes alone', async (t) => {
  const graph = await withApp(t);
  await graph.tag('other', 'v1');
  await graph.hold();
  const answer = await graph.remove('other:v1');
  assert.deepEqual([answer.untagged, answer.deleted], [['other:v1'], []]);
  assert.deepEqual((await list(graph))[0]?.tags, ['app:latest']);
});

for (const reference of [app.id, app.hex, short, `sha256:${short}`]) {
  test(`an image of one tag goes by ${reference.slice(0, 20)}`, async (t) => {
    const graph = await withApp(t);
    const { untagged, deleted } = await graph.remove(reference);
    assert.deepEqual([untagged, deleted[0]], [['app:latest'], app.id]);
  });
}

test('by id, an image of several tags needs force; then all of it goes', async (t) => {
  const graph = await withApp(t);
  await graph.tag('other');
  const message = `unable to delete ${short} (must be forced) - image is referenced in multiple repositories`;
  await assert.rejects(graph.remove(short), conflict(message, 'IMAGE_HAS_TAGS'));
  const { untagged } = await graph.remove(short, { force: true });
  assert.deepEqual(untagged, ['app:latest', 'other:latest']);
  assert.deepEqual(await list(graph), []);
});

test('the only tag of a container’s image needs force; then the image stays without it', async (t) => {
  const graph = await withApp(t);
  await graph.hold();
  const message = `unable to remove repository reference "app" (must force) - container ${container.slice(0, 12)} is using its referenced image ${short}`;
  await assert.rejects(graph.remove('app'), conflict(message, 'IMAGE_IN_USE'));
  const { untagged, deleted } = await graph.remove('app', { force: true });
  assert.deepEqual([untagged, deleted], [['app:latest'], []]);
  assert.deepEqual(
    (await list(graph)).map(({ id, tags }) => [id, tags]),
    [[app.id, []]],
  );
  assert.equal(graph.fake.layers.size, 2);
});

test('by id, a stopped container’s image needs force, and then loses its tags alone', async (t) => {
  const graph = await withApp(t);
  await graph.hold();
  const message = `unable to delete ${short} (must be forced) - image is being used by stopped container ${container.slice(0, 12)}`;
  await assert.rejects(graph.remove(short), conflict(message, 'IMAGE_IN_USE'));
  const { untagged, deleted } = await graph.remove(short, { force: true });
  assert.deepEqual([untagged, deleted], [['app:latest'], []]);
  await graph.images.releaseImage({ holder: container });
  assert.deepEqual((await graph.remove(short)).deleted[0], app.id);
});

test('by id, a running container’s image cannot be forced', async (t) => {
  const graph = await withApp(t);
  await graph.hold();
  const running = { runningHolders: [container] };
  const message = `unable to delete ${short} (cannot be forced) - image is being used by running container ${container.slice(0, 12)}`;
  for (const force of [false, true]) {
    await assert.rejects(graph.remove(short, { ...running, force }), conflict(message, 'IMAGE_IN_USE'));
  }
  assert.deepEqual((await list(graph))[0]?.tags, ['app:latest']);
});

test('what is not there is not found, under the name that was meant', async (t) => {
  const graph = await withApp(t);
  await assert.rejects(graph.remove('nothing'), { code: 'NOT_FOUND', message: 'No such image: nothing:latest' });
  await assert.rejects(graph.remove('app:v9'), { message: 'No such image: app:v9' });
  await assert.rejects(graph.remove('no thing'), { code: 'INVALID_ARGUMENT', message: 'invalid reference format' });
  assert.equal((await list(graph)).length, 1);
});

test('a removal that is repeated with its request id gives the same answer', async (t) => {
  const graph = await withApp(t);
  const again = { requestId: 'remove-1' };
  const first = await graph.images.removeImage({ reference: 'app' }, again);
  assert.deepEqual(await graph.images.removeImage({ reference: 'app' }, again), first);
});

test('layers that could not be removed go with the next Init', async (t) => {
  const graph = await withApp(t);
  graph.fake.beforeRemove = () => {
    throw new Error('busy');
  };
  await graph.remove('app');
  assert.equal(graph.fake.layers.size, 2);
  graph.fake.beforeRemove = () => undefined;
  await graph.restart();
  await Array.fromAsync(
    graph.control.init({
      fence: { engineId: 'e'.repeat(32), epoch: 2 },
      driver: 'overlay2',
      graphdriverEndpoint: graph.fake.endpoint,
    }),
  );
  assert.equal(graph.fake.layers.size, 0);
});
