import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, open, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { openRecords } from '../../kit/records.ts';
import { checkHealth } from '../../kit/rpc/health.ts';
import { InitPhase } from '../../proto/gen/longshore/graph/v1/control.ts';
import { ImageServiceDefinition } from '../../proto/gen/longshore/graph/v1/image.ts';
import { migrations } from './records/schema.ts';
import { engineId, initialise, list, load } from './testing/graph-client.ts';
import { classicArchive, imageOf } from './testing/image-archives.ts';
import { startGraph } from './testing/running-graph.ts';

const app = imageOf([[{ name: 'app', body: '1' }]], { tags: ['app:latest', 'app:v1'] });

test('before Init images are refused, and health says so; Identify answers', async (t) => {
  const graph = await startGraph(t, { initialised: false });
  await assert.rejects(graph.images.getImage({ reference: 'app' }), {
    code: 'FAILED_PRECONDITION',
    reason: 'NOT_INITIALISED',
  });
  assert.equal(await checkHealth(graph.channel, ImageServiceDefinition.fullName, 1000), 'NOT_SERVING');
  const { identity } = await graph.control.identify({});
  assert.deepEqual([identity?.pid, identity?.dataRoot, identity?.epoch], [process.pid, graph.dataRoot, 0]);
});

test('Init opens the image graph, then the tag store, and tells how much is in each', async (t) => {
  const graph = await startGraph(t);
  await load(graph, classicArchive([app]));
  assert.deepEqual(await initialise(graph, { ...graph.fake, epoch: 2 }), [
    { phase: InitPhase.INIT_PHASE_IMAGE_GRAPH, count: 1 },
    { phase: InitPhase.INIT_PHASE_TAG_STORE, count: 2 },
  ]);
  assert.equal(await checkHealth(graph.channel, ImageServiceDefinition.fullName, 1000), 'SERVING');
  const { identity } = await graph.control.identify({});
  assert.deepEqual([identity?.engineId, identity?.epoch], [engineId, 2]);
});

test('an older coordinator and another engine are refused', async (t) => {
  const graph = await startGraph(t);
  await initialise(graph, { ...graph.fake, epoch: 5 });
  await assert.rejects(initialise(graph, { ...graph.fake, epoch: 4 }), { reason: 'STALE_EPOCH' });
  const other = { engineId: 'f'.repeat(32), epoch: 9, bootId: '' };
  await assert.rejects(Array.fromAsync(graph.control.init({ fence: other, driver: 'vfs' })), {
    reason: 'OTHER_ENGINE',
  });
});

test('after a restart the store opens by itself, also when the layer store is down', async (t) => {
  const graph = await startGraph(t);
  await load(graph, classicArchive([app]));
  await graph.fake.stop();
  await graph.restart();
  assert.equal((await graph.images.getImage({ reference: 'app' })).image?.id, app.id);
});

test('after a restart nobody is answered before the store is open', async (t) => {
  const graph = await startGraph(t);
  await load(graph, classicArchive([app]));
  const nonce = join(graph.dataRoot, 'graphdriver', 'nonce');
  await mkdir(dirname(nonce));
  await initialise(graph, { ...graph.fake, nonce: 'here', epoch: 2 });
  await graph.stop();
  // Its opening takes as long as the reading of this.
  execFileSync('mkfifo', [nonce]);
  const starting = graph.start();
  const reading = await open(nonce, 'w');
  const answers = existsSync(graph.socket);
  await reading.writeFile('here');
  await reading.close();
  await starting;
  assert.equal(answers, false);
  assert.equal((await graph.images.getImage({ reference: 'app' })).image?.id, app.id);
});

test('after Drain it stays closed until the next Init, and nothing is lost', async (t) => {
  const graph = await startGraph(t);
  await load(graph, classicArchive([app]));
  await graph.control.drain({});
  await assert.rejects(graph.images.getImage({ reference: 'app' }), { reason: 'NOT_INITIALISED' });
  await graph.restart();
  await assert.rejects(graph.images.getImage({ reference: 'app' }), { reason: 'NOT_INITIALISED' });
  await initialise(graph, graph.fake);
  assert.equal((await list(graph)).length, 1);
});

test('images of another driver’s time are not shown, and come back with it', async (t) => {
  const graph = await startGraph(t);
  await load(graph, classicArchive([app]));
  const layers = [...graph.fake.layers];
  await initialise(graph, { ...graph.fake, driver: 'vfs' });
  assert.deepEqual(await list(graph), []);

  for (const [id, layer] of layers) graph.fake.layers.set(id, layer);
  await initialise(graph, { ...graph.fake, driver: 'overlay2' });
  assert.deepEqual(
    (await list(graph)).map(({ id, tags }) => ({ id, tags })),
    [{ id: app.id, tags: app.tags }],
  );
});

test('a blob stays as long as an image of any driver has it', async (t) => {
  const graph = await startGraph(t);
  await load(graph, classicArchive([app]));
  await initialise(graph, { ...graph.fake, driver: 'vfs' });
  await load(graph, classicArchive([app]));
  await graph.images.removeImage({ reference: app.id, force: true });
  assert.equal((await graph.blobs()).length, 1);
});

test('a load goes on through a new Init, and its layers are not swept', async (t) => {
  const graph = await startGraph(t);
  const two = imageOf([[{ name: 'a', body: 'a' }], [{ name: 'b', body: 'b' }]], { tags: ['two:latest'] });
  const reached = Promise.withResolvers<void>();
  const goOn = Promise.withResolvers<void>();
  graph.fake.beforeApply = async () => {
    if (graph.fake.layers.size === 0) return;
    reached.resolve();
    await goOn.promise;
  };
  const loading = load(graph, classicArchive([two]));
  await reached.promise;
  await initialise(graph, { ...graph.fake, epoch: 2 });
  assert.equal(graph.fake.layers.size, 1);
  goOn.resolve();
  await loading;
  assert.equal((await list(graph))[0]?.id, two.id);
});

test('an image whose layers are gone is not shown; it can be removed, or loaded again', async (t) => {
  const graph = await startGraph(t);
  await load(graph, classicArchive([app]));
  graph.fake.layers.clear();
  await initialise(graph, { ...graph.fake, epoch: 2 });
  assert.deepEqual(await list(graph), []);
  await assert.rejects(graph.images.acquireImage({ reference: 'app', holder: 'x' }), { reason: 'IMAGE_NOT_FOUND' });
  await load(graph, classicArchive([app]));
  assert.deepEqual(
    (await list(graph)).map(({ id }) => id),
    [app.id],
  );

  graph.fake.layers.clear();
  await initialise(graph, { ...graph.fake, epoch: 3 });
  await graph.images.removeImage({ reference: app.id, force: true });
  assert.deepEqual(await graph.blobs(), []);
});

test('Init sweeps layers of ours that no image has, and leaves others’', async (t) => {
  const graph = await startGraph(t);
  const layer = { diffId: '', writable: false, size: 1, holders: [], createdAtNs: 1n, directories: {} };
  const ours = { 'longshore.owner': 'graph' };
  const [a, b, other, written] = ['a', 'b', 'c', 'd'].map((digit) => digit.repeat(64)) as [
    string,
    string,
    string,
    string,
  ];
  graph.fake.layers.set(a, { ...layer, id: a, parent: '', labels: ours });
  graph.fake.layers.set(b, { ...layer, id: b, parent: a, labels: ours });
  graph.fake.layers.set(other, { ...layer, id: other, parent: '', labels: {} });
  graph.fake.layers.set(written, { ...layer, id: written, parent: other, labels: ours, writable: true });
  await initialise(graph, { ...graph.fake, epoch: 2 });
  assert.deepEqual([...graph.fake.layers.keys()], [other, written]);
});

test('with a common data root the layer store is told a path', async (t) => {
  const graph = await startGraph(t, { initialised: false });
  await mkdir(join(graph.dataRoot, 'graphdriver'), { recursive: true });
  await writeFile(join(graph.dataRoot, 'graphdriver', 'nonce'), 'the nonce\n');
  await initialise(graph, { ...graph.fake, nonce: 'the nonce' });
  await load(graph, classicArchive([app]));
  assert.deepEqual(graph.fake.sources, [`graph/blobs/sha256/${app.diffIds[0]?.slice('sha256:'.length)}`]);
});

test('a damaged tag store is reported, and the image graph is open by then', async (t) => {
  const graph = await startGraph(t);
  await load(graph, classicArchive([app]));
  await graph.control.drain({});
  await graph.restart();
  const phases: number[] = [];
  const opening = async () => {
    const policy = { fence: { engineId, epoch: 2 }, driver: 'overlay2', graphdriverEndpoint: graph.fake.endpoint };
    for await (const { phase } of graph.control.init(policy)) phases.push(phase);
  };
  await graph.stop();
  const file = join(graph.dataRoot, 'graph', 'images.db');
  using database = new DatabaseSync(file);
  database.exec("UPDATE tag SET name = 'NOT A TAG' WHERE name = 'app:v1'");
  database.close();
  await graph.start();
  await assert.rejects(opening(), { code: 'FAILED_PRECONDITION', reason: 'TAG_STORE_BROKEN' });
  assert.deepEqual(phases, [InitPhase.INIT_PHASE_IMAGE_GRAPH]);
});

test('two services cannot have one data root', async (t) => {
  const graph = await startGraph(t);
  assert.throws(() => openRecords(join(graph.dataRoot, 'graph', 'images.db'), { migrations }), {
    reason: 'RECORDS_IN_USE',
  });
});
