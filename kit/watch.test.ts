import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isServiceError } from './errors.ts';
import { createSequence, type Entry } from './watch.ts';

async function take<T>(entries: AsyncIterable<Entry<T>>, count: number): Promise<T[]> {
  const events: T[] = [];
  for await (const { event } of entries) {
    events.push(event);
    if (events.length === count) break;
  }
  return events;
}

const forever = new AbortController().signal;
const isGone = (error: unknown) => isServiceError(error, 'CURSOR_GONE') && error.code === 'OUT_OF_RANGE';

test('a watch from a cursor gives what came after it, then what comes', async () => {
  const events = createSequence<string>();
  events.append('a');
  const cursor = events.cursor;
  events.append('b');
  const watching = take(events.watch(cursor, forever), 3);
  events.append('c');
  events.append('d');
  assert.deepEqual(await watching, ['b', 'c', 'd']);
});

test('a watch without a cursor begins when it is asked for, not when it is read', async () => {
  const events = createSequence<string>();
  events.append('before');
  const watch = events.watch(undefined, forever);
  events.append('after');
  assert.deepEqual(await take(watch, 1), ['after']);
});

test('an aborted watch ends', async () => {
  const events = createSequence<string>();
  const enough = new AbortController();
  const watching = take(events.watch(undefined, enough.signal), 1);
  enough.abort();
  assert.deepEqual(await watching, []);
});

test('a cursor from before what is kept, or from the future, is gone', () => {
  const events = createSequence<number>({ keep: 3 });
  const start = events.cursor;
  for (let n = 0; n < 5; n++) events.append(n);
  assert.throws(() => events.watch(start, forever), isGone);
  assert.throws(() => events.watch(events.cursor + 1, forever), isGone);
  assert.doesNotThrow(() => events.watch(events.oldest, forever));
});

test('a reader that falls behind is told so, and others go on', async () => {
  const events = createSequence<number>({ keep: 2 });
  const slow = events.watch(undefined, forever)[Symbol.asyncIterator]();
  for (let n = 0; n < 4; n++) events.append(n);
  await assert.rejects(Promise.resolve(slow.next()), isGone);
  assert.deepEqual(await take(events.watch(events.oldest, forever), 2), [2, 3]);
});

test('a cursor of an earlier process is gone when nothing was saved', async () => {
  const before = createSequence<string>();
  const cursor = before.append('a');
  while (Date.now() * 1000 <= cursor) await new Promise(setImmediate);
  const after = createSequence<string>();
  assert.throws(() => after.watch(cursor, forever), isGone);
});

test('saved events can be watched by their old cursors', async () => {
  const rows: Entry<string>[] = [];
  const saved = { load: () => rows, save: (cursor: number, event: string) => void rows.push({ cursor, event }) };
  const before = createSequence({ saved });
  const cursor = before.append('a');
  before.append('b');
  const after = createSequence({ saved });
  after.append('c');
  assert.deepEqual(await take(after.watch(cursor, forever), 2), ['b', 'c']);
});
