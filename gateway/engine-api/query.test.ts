import assert from 'node:assert/strict';
import { test } from 'node:test';
import { labelMap, queryOf, truthFilter } from './query.ts';

const query = (text: string) => queryOf(new URLSearchParams(text));

test('what is true, as Docker has it', () => {
  for (const value of ['1', 'true', 'True', 'yes', 'y', '2']) assert.equal(query(`a=${value}`).truth('a'), true, value);
  for (const value of ['', '0', 'false', 'no', 'None', ' False ']) assert.equal(query(`a=${value}`).truth('a'), false);
  assert.equal(query('').truth('a'), false);
});

test('times are seconds with a fraction or RFC 3339, to the nanosecond', () => {
  const time = (text: string) => query(`t=${encodeURIComponent(text)}`).time('t');
  assert.equal(time(''), 0n);
  assert.equal(time('1700000000'), 1_700_000_000_000_000_000n);
  assert.equal(time('1700000000.000000001'), 1_700_000_000_000_000_001n);
  assert.equal(time('1.5'), 1_500_000_000n);
  assert.equal(time('2023-11-14T22:13:20.123456789Z'), 1_700_000_000_123_456_789n);
  assert.equal(time('2023-11-14T23:13:20+01:00'), 1_700_000_000_000_000_000n);
  for (const wrong of ['soon', '-1', '1e9', '2023-11-14', '2023-13-14T22:13:20Z', '1.']) {
    assert.throws(() => time(wrong), /invalid t: .* is neither a time in seconds nor RFC 3339/, wrong);
  }
});

test('filters come as lists and, from older clients, as sets', () => {
  const filters = (value: unknown) => query(`filters=${encodeURIComponent(JSON.stringify(value))}`).filters(['a', 'b']);
  assert.deepEqual(filters({ a: ['x', 'y'], b: { z: true, w: false } }), { a: ['x', 'y'], b: ['z'] });
  assert.deepEqual(query('').filters(['a']), {});
  assert.throws(() => filters({ c: ['x'] }), /invalid filter 'c'/);
  for (const wrong of [[], 'x', { a: 'x' }, { a: [1] }]) assert.throws(() => filters(wrong), /invalid filter/);
  assert.deepEqual(labelMap(['a=b=c', 'd']), { a: 'b=c', d: '' });
  assert.equal(truthFilter('dangling', ['1']), true);
  assert.throws(() => truthFilter('dangling', ['perhaps']), /invalid filter 'dangling=\[perhaps\]'/);
});
