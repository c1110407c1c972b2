import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { isServiceError } from '../../kit/errors.ts';
import { silentLogger } from '../../kit/log.ts';
import { type Channel, dial } from '../../kit/rpc/dial.ts';
import { EventServiceDefinition, type WatchEventsResponse } from '../../proto/gen/longshore/daemon/v1/event.ts';
import { bootEngine, type Engine, until } from '../engine.ts';
import { importBusybox } from '../images.ts';
import { nothing } from '../machine.ts';

let engine: Engine;
let channel: Channel;
const docker = (...args: string[]) => engine.dockerWith(undefined, ...args);

before(async () => {
  engine = await bootEngine();
  await importBusybox(engine);
  channel = dial(engine.host, { role: 'test', log: silentLogger() });
});
after(async () => {
  channel.close();
  await engine.dispose();
  assert.deepEqual(engine.state(), nothing);
});

/** Reads until an event is told that is looked for. */
async function read(
  from: { after?: number; sinceNs?: bigint },
  isLast: (event: WatchEventsResponse) => boolean,
): Promise<WatchEventsResponse[]> {
  const told: WatchEventsResponse[] = [];
  const gone = new AbortController();
  const events = channel.client(EventServiceDefinition);
  for await (const event of events.watchEvents(
    { ...from, filter: { types: ['container'] } },
    { signal: gone.signal },
  )) {
    if (event.cursor === 0) continue;
    told.push(event);
    if (isLast(event)) break;
  }
  gone.abort();
  return told;
}

const shown = (events: readonly WatchEventsResponse[]) =>
  events.map(({ action, attributes }) => `${action} ${attributes.name}`);

test('a gRPC client goes on by its cursor where it was, over the death of the coordinator, with nothing lost or doubled', async () => {
  await docker('run', '--name', 'first', 'busybox', 'true');
  await docker('create', '--name', 'second', 'busybox', 'true');
  const early = await read({ sinceNs: 1n }, (event) => event.action === 'create' && event.attributes.name === 'second');
  assert.deepEqual(shown(early), ['create first', 'attach first', 'start first', 'die first', 'create second']);
  const cursors = early.map(({ cursor }) => cursor);
  assert.deepEqual(
    cursors,
    [...cursors].sort((one, other) => one - other),
  );

  process.kill(engine.pidOf('daemon'), 'SIGKILL');
  await until(async () => (await engine.docker('create', '--name', 'third', 'busybox', 'true')).code === 0, 20_000);
  await docker('rm', 'first');
  const later = await read({ after: cursors.at(-1) ?? 0 }, (event) => event.action === 'destroy');
  assert.deepEqual(shown(later), ['create third', 'destroy first']);
  // From the middle of what was read, the rest of it once more.
  const again = await read({ after: cursors[2] ?? 0 }, (event) => event.action === 'destroy');
  assert.deepEqual(shown(again), ['die first', 'create second', 'create third', 'destroy first']);
  await docker('rm', 'second', 'third');
});

test('a cursor that is older than what is kept is refused, so that nobody takes a gap for the whole', async () => {
  await assert.rejects(
    read({ after: 1 }, () => true),
    (error) => isServiceError(error, 'CURSOR_GONE') && error.code === 'OUT_OF_RANGE',
  );
});
