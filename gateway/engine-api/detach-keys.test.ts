import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseDetachKeys, watchKeys } from './detach-keys.ts';

test('detach keys are letters and control keys in Docker’s notation', () => {
  const codes = (text: string | undefined) => [...parseDetachKeys(text)];
  assert.deepEqual(codes(undefined), [16, 17]);
  assert.deepEqual(codes('ctrl-p,ctrl-q'), [16, 17]);
  assert.deepEqual(
    codes('a,ctrl-@,ctrl-z,ctrl-[,ctrl-\\,ctrl-],ctrl-^,ctrl-_,DEL'),
    [97, 0, 26, 27, 28, 29, 30, 31, 127],
  );
  for (const wrong of ['ctrl-', 'ctrl-A', 'ctrl-ab', 'up', 'a,,b']) {
    assert.throws(() => parseDetachKeys(wrong), { message: `Invalid detach keys (${wrong}) provided` });
  }
});

test('what only looks like the beginning of the sequence is passed on, in order', () => {
  const pieces = (keys: string, ...input: string[]) => {
    const watch = watchKeys(Buffer.from(keys));
    return input.map((piece) => {
      const { bytes, isComplete } = watch(Buffer.from(piece));
      return `${bytes}${isComplete ? '!' : ''}`;
    });
  };
  assert.deepEqual(pieces('pq', 'apb'), ['apb']);
  assert.deepEqual(pieces('pq', 'ap', 'b'), ['a', 'pb']);
  assert.deepEqual(pieces('pq', 'ap', 'pq'), ['a', 'p!']);
  assert.deepEqual(pieces('pq', 'apq', 'rest'), ['a!', 'rest']);
  assert.deepEqual(pieces('x', 'abxc'), ['ab!']);
  assert.deepEqual(pieces('pqr', 'p', 'q', 'p', 'q', 'r'), ['', '', 'pq', '', '!']);
});
