import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { FilesPurpose, OpenFilesResponse } from '../../../proto/gen/longshore/daemon/v1/container.ts';
import { call, contextOf, create, happened, run, startEngine, type TestEngine, until } from '../testing/engine.ts';

interface Opened {
  files: OpenFilesResponse;
  /** The client has what it wanted. */
  close(): Promise<void>;
  /** The next message. */
  next(): Promise<unknown>;
}

async function open(engine: TestEngine, container: string, purpose: FilesPurpose): Promise<Opened> {
  const leaving = new AbortController();
  const stream = engine.services.containers.openFiles({ container, purpose }, contextOf(leaving.signal));
  const messages = stream[Symbol.asyncIterator]();
  const first = await messages.next();
  return {
    files: OpenFilesResponse.fromPartial(first.value ?? {}),
    async close() {
      leaving.abort();
      await messages.next().catch(() => undefined);
    },
    next: () => messages.next(),
  };
}

const holdersOf = (engine: TestEngine, id: string) => [...(engine.world.layers.get(id) ?? [])];
const { FILES_PURPOSE_READ, FILES_PURPOSE_WRITE, FILES_PURPOSE_EXPORT, FILES_PURPOSE_UNSPECIFIED } = FilesPurpose;

async function withVolume(t: TestContext): Promise<{ engine: TestEngine; id: string }> {
  const engine = await startEngine(t);
  const binds = ['data:/data', '/host:/there:ro'];
  const host = { binds, tmpfs: { '/scratch': '' }, readonlyRootfs: true };
  return { engine, id: await create(engine, { name: 'box', config: { user: 'dock' }, host }) };
}

test('the layer and the volumes of one that does not run are held for as long as the caller listens', async (t) => {
  const { engine, id } = await withVolume(t);
  const { files, close } = await open(engine, 'box', FILES_PURPOSE_READ);
  assert.equal(files.containerId, id);
  assert.deepEqual([files.readOnlyRoot, files.user], [true, 'dock']);
  assert.deepEqual(files.mounts, [
    { source: '/volumes/data/_data', destination: '/data', readOnly: false },
    { source: '/host', destination: '/there', readOnly: true },
  ]);
  const [holder] = holdersOf(engine, id);
  assert.match(holder ?? '', /^files:/);
  assert.deepEqual([...(engine.world.volumes.get('data')?.mounted ?? [])], [holder]);
  await close();
  assert.deepEqual(holdersOf(engine, id), []);
  assert.deepEqual([...(engine.world.volumes.get('data')?.holders ?? [])], [id]);
});

test('a running one keeps its own holds', async (t) => {
  const engine = await startEngine(t);
  const id = await run(engine, { host: { binds: ['data:/data'] } });
  const { close } = await open(engine, id, FILES_PURPOSE_WRITE);
  assert.equal(holdersOf(engine, id).length, 2);
  await close();
  assert.deepEqual(holdersOf(engine, id), [id]);
  assert.deepEqual([...(engine.world.volumes.get('data')?.mounted ?? [])], [id]);
});

test('reading, writing and exporting are events, looking is none; an export has no mounts', async (t) => {
  const { engine } = await withVolume(t);
  for (const purpose of [FILES_PURPOSE_UNSPECIFIED, FILES_PURPOSE_READ, FILES_PURPOSE_WRITE, FILES_PURPOSE_EXPORT]) {
    const { files, close } = await open(engine, 'box', purpose);
    assert.equal(files.mounts.length, purpose === FILES_PURPOSE_EXPORT ? 0 : 2);
    await close();
  }
  const told = happened(engine).filter((event) => /archive|extract|export/.test(event));
  assert.deepEqual(told, ['container:archive-path', 'container:extract-to-dir', 'container:export']);
});

test('a removal ends the access first, and then nothing holds the layer', async (t) => {
  const { engine, id } = await withVolume(t);
  const { next } = await open(engine, 'box', FILES_PURPOSE_READ);
  const ended = assert.rejects(next(), /marked for removal/);
  await call(engine, 'removeContainer', { container: 'box', force: false, removeVolumes: false });
  await ended;
  assert.equal(engine.world.layers.has(id), false);
  await assert.rejects(open(engine, 'box', FILES_PURPOSE_READ), /No such container: box/);
});

test('what an engine that died still held is given back by the next', async (t) => {
  const { engine, id } = await withVolume(t);
  await open(engine, 'box', FILES_PURPOSE_READ);
  const next = await engine.crash();
  await until(() => holdersOf(next, id).length === 0, 'the layer is nobody’s');
  assert.deepEqual([...(next.world.volumes.get('data')?.holders ?? [])], [id]);
});
