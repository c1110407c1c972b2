import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { createKeyedQueue } from './queue.ts';

test('work with one key runs one at a time, in the order it was asked for', async () => {
  const queue = createKeyedQueue();
  const seen: string[] = [];
  const work = (name: string) => async () => {
    seen.push(`${name} begins`);
    await turn();
    seen.push(`${name} ends`);
  };
  await Promise.all(['a', 'b', 'c'].map((name) => queue.run('k', work(name))));
  assert.deepEqual(seen, ['a begins', 'a ends', 'b begins', 'b ends', 'c begins', 'c ends']);
});

test('work with another key does not wait', async () => {
  const queue = createKeyedQueue();
  const blocked = Promise.withResolvers<void>();
  const first = queue.run('a', () => blocked.promise);
  assert.equal(await queue.run('b', () => 'free'), 'free');
  blocked.resolve();
  await first;
});

test('a failure is its caller’s alone', async () => {
  const queue = createKeyedQueue();
  const failing = queue.run('k', () => Promise.reject(new Error('no')));
  const next = queue.run('k', () => 'next');
  await assert.rejects(failing, /no/);
  assert.equal(await next, 'next');
});

test('keys that are done are forgotten', async () => {
  const queue = createKeyedQueue();
  await Promise.all(Array.from({ length: 100 }, (_, n) => queue.run(`k${n % 10}`, () => n)));
  await turn();
  assert.equal(queue.size, 0);
});
