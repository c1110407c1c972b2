import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { WatchImagesResponse } from '../../proto/gen/longshore/graph/v1/event.ts';
import { afterwards } from './testing/cleanup.ts';
import { load } from './testing/graph-client.ts';
import { classicArchive, imageOf } from './testing/image-archives.ts';
import { type RunningGraph, startGraph } from './testing/running-graph.ts';

const app = imageOf([[{ name: 'app', body: '1' }]], { tags: ['app:latest'], config: { Labels: { team: 'blue' } } });

/** Takes messages until `count` have come. */
async function watch(
  t: TestContext,
  graph: RunningGraph,
  after: number,
  count: number,
): Promise<WatchImagesResponse[]> {
  const messages: WatchImagesResponse[] = [];
  const stop = new AbortController();
  afterwards(t, () => stop.abort());
  for await (const message of graph.events.watchImages({ after }, { signal: stop.signal })) {
    messages.push(message);
    if (messages.length === count) break;
  }
  return messages;
}

async function everything(graph: RunningGraph): Promise<void> {
  await load(graph, classicArchive([app]));
  await graph.images.tagImage({ source: 'app', repository: 'other' });
  await graph.images.removeImage({ reference: 'other' });
  await graph.images.removeImage({ reference: 'app' });
}

test('what happens to an image is told in order, with its name and labels', async (t) => {
  const graph = await startGraph(t);
  const watched = watch(t, graph, 0, 6);
  // The first message says that the watch stands.
  await watch(t, graph, 0, 1);
  await everything(graph);
  const [first, ...events] = await watched;
  assert.equal(first?.cursor, 0);
  assert.deepEqual(
    events.map(({ action, attributes }) => `${action} ${attributes.name}`),
    [`load ${app.id}`, 'tag other:latest', `untag ${app.id}`, `untag ${app.id}`, `delete ${app.id}`],
  );
  for (const event of events) {
    assert.equal(event.imageId, app.id);
    assert.equal(event.attributes.team, 'blue');
  }
});

test('a cursor is good across a restart', async (t) => {
  const graph = await startGraph(t);
  const [start] = await watch(t, graph, 0, 1);
  await everything(graph);
  const before = await watch(t, graph, start?.latest ?? 0, 6);
  await graph.restart();
  const [, , third] = before;
  const after = await watch(t, graph, third?.cursor ?? 0, 4);
  assert.deepEqual(
    after.slice(1).map(({ cursor, action }) => [cursor, action]),
    before.slice(3).map(({ cursor, action }) => [cursor, action]),
  );
});

test('a cursor that is too old is refused', async (t) => {
  const graph = await startGraph(t);
  await assert.rejects(watch(t, graph, 5, 2), { code: 'OUT_OF_RANGE', reason: 'CURSOR_GONE' });
});
