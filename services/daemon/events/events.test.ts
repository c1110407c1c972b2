import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nowNs } from '../../../kit/clock.ts';
import { isServiceError } from '../../../kit/errors.ts';
import { EventFilter, type WatchEventsResponse } from '../../../proto/gen/longshore/daemon/v1/event.ts';
import { openContainerRecords } from '../containers/records.ts';
import {
  call,
  contextOf,
  create,
  everything,
  happened,
  run,
  startEngine,
  type TestEngine,
  until,
} from '../testing/engine.ts';
import { exit } from '../testing/world.ts';
import { type EngineEvent, openEventLog } from './event-log.ts';
import { matches } from './filter.ts';

async function watch(engine: TestEngine, request: Partial<typeof everything>): Promise<WatchEventsResponse[]> {
  const told: WatchEventsResponse[] = [];
  const context = contextOf(new AbortController().signal);
  const stream = engine.services.events.watchEvents({ ...everything, ...request }, context);
  for await (const event of stream) told.push(event as WatchEventsResponse);
  return told;
}

test('the life of a container is told in order, with the network’s part in it', async (t) => {
  const engine = await startEngine(t);
  const id = await run(engine, { name: 'web', config: { labels: { role: 'front' } } });
  await call(engine, 'renameContainer', { container: id, name: 'site' });
  exit(engine.world, id, 3);
  await until(() => engine.world.sandboxes.size === 0, 'released');
  await call(engine, 'removeContainer', { container: id, force: false, removeVolumes: false });
  await until(() => happened(engine).includes('network:connect'), 'the network told');
  const own = [...engine.events.kept(0)].map(({ event }) => event).filter(({ type }) => type === 'container');
  assert.deepEqual(
    own.map(({ action }) => action),
    ['create', 'start', 'rename', 'die', 'destroy'],
  );
  assert.deepEqual(own[3]?.attributes, {
    vendor: 'test',
    role: 'front',
    image: 'busybox',
    name: 'site',
    exitCode: '3',
    execDuration: '0',
  });
  assert.equal(own[2]?.attributes['oldName'], '/web');
  assert.ok(own.every(({ actorId }) => actorId === id));
});

test('a watch first says that it stands, then what comes', async (t) => {
  const engine = await startEngine(t);
  await create(engine);
  const gone = new AbortController();
  const told: string[] = [];
  const stream = engine.services.events.watchEvents(everything, contextOf(gone.signal));
  for await (const { cursor, action } of stream) {
    told.push(cursor === 0 ? 'stands' : (action ?? ''));
    if (cursor === 0) void create(engine, { name: 'second' });
    else break;
  }
  gone.abort();
  assert.deepEqual(told, ['stands', 'create']);
});

test('since and until give what lies between, and end', async (t) => {
  const engine = await startEngine(t);
  const before = nowNs();
  await create(engine, { name: 'one' });
  const told = await watch(engine, { sinceNs: before, untilNs: nowNs() + 50_000_000n });
  assert.deepEqual(
    told.map(({ action }) => action),
    ['', 'create'],
  );
  assert.deepEqual((await watch(engine, { sinceNs: before, untilNs: before - 1n })).length, 1);
});

test('a reader goes on after a restart of the engine where it was', async (t) => {
  const engine = await startEngine(t);
  await create(engine, { name: 'one' });
  const cursor = engine.events.cursor;
  const next = await engine.crash();
  await create(next, { name: 'two' });
  const told = await watch(next, { after: cursor, untilNs: nowNs() + 50_000_000n });
  assert.deepEqual(
    told.slice(1).map(({ cursor: at, attributes }) => [at, attributes?.['name']]),
    [[cursor + 1, 'two']],
  );
});

test('what owners told while no engine ran is told by the next one, once', async (t) => {
  const engine = await startEngine(t);
  engine.world.networkEvents.append({ action: 'connect', container: 'a' });
  await until(() => happened(engine).length === 1, 'told');
  const next = await engine.crash((world) => {
    world.networkEvents.append({ action: 'disconnect', container: 'a' });
  });
  await until(() => happened(next).length === 2, 'told');
  const third = await next.crash();
  assert.deepEqual(happened(third), ['network:connect', 'network:disconnect']);
});

test('ten thousand are kept; a cursor older than those is gone, a reader of old ones gets each once', async () => {
  const records = openContainerRecords(':memory:');
  const log = openEventLog(records);
  const first = log.cursor + 1;
  const event = (action: string): EngineEvent => ({
    type: 'container',
    action,
    actorId: 'x',
    attributes: {},
    timeNs: 1n,
  });
  const batch = Array.from({ length: 1000 }, (_, index) => event(String(index)));
  for (let round = 0; round < 11; round += 1) records.transaction(() => log.record(batch))();
  const seen: number[] = [];
  const signal = new AbortController().signal;
  for await (const { cursor } of log.after(log.cursor - 9_000, signal)) {
    seen.push(cursor);
    if (cursor === log.cursor) break;
  }
  assert.equal(seen.length, 9_000);
  assert.ok(seen.every((cursor, at) => at === 0 || cursor === (seen[at - 1] ?? 0) + 1));
  await assert.rejects(log.after(first, signal)[Symbol.asyncIterator]().next(), (error) =>
    isServiceError(error, 'CURSOR_GONE'),
  );
  assert.ok([...log.kept(0)].length < 10_300);
});

test('events of a transaction that fails are neither kept nor shown', () => {
  const records = openContainerRecords(':memory:');
  const log = openEventLog(records);
  const before = log.cursor;
  assert.throws(() =>
    records.transaction(() => {
      log.record([{ type: 'container', action: 'create', actorId: 'x', attributes: {}, timeNs: 1n }]);
      throw new Error('no');
    }),
  );
  assert.equal(log.cursor, before);
  assert.deepEqual([...log.kept(0)], []);
});

test('filters are Docker’s: prefixes of names and ids, images with or without tag, all labels', () => {
  const event: EngineEvent = {
    type: 'container',
    action: 'exec_start: sh',
    actorId: 'abc123',
    timeNs: 1n,
    attributes: { name: 'web-1', image: 'registry:5000/busybox:1.36', role: 'front' },
  };
  const is = (filter: Parameters<typeof EventFilter.create>[0]) => matches(EventFilter.create(filter), event);
  assert.ok(is({ containers: ['web'] }) && is({ containers: ['abc'] }) && is({ containers: ['no', '/web-1'] }));
  assert.ok(!is({ containers: ['eb-1'] }) && !is({ volumes: ['web'] }));
  assert.ok(
    is({ images: ['registry:5000/busybox'] }) &&
      is({ images: ['registry:5000/busybox:1.36'] }) &&
      !is({ images: ['busybox'] }),
  );
  assert.ok(is({ actions: ['exec_start'] }) && !is({ actions: ['exec'] }) && is({ types: ['container', 'image'] }));
  assert.ok(is({ labels: ['role'] }) && is({ labels: ['role=front'] }) && !is({ labels: ['role', 'other'] }));
  assert.ok(is({ scopes: ['local'] }) && !is({ scopes: ['swarm'] }));
});
