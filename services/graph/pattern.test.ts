import assert from 'node:assert/strict';
import { test } from 'node:test';
import { matchesTag } from './pattern.ts';

for (const [pattern, tag, expected] of [
  ['busybox', 'busybox:latest', true],
  ['busybox:latest', 'busybox:latest', true],
  ['busy*', 'busybox:latest', true],
  ['*:late??', 'busybox:latest', true],
  ['*', 'team/app:1', false],
  ['*/*', 'team/app:1', true],
  ['team/*:1', 'team/app:1', true],
  ['team/*:2', 'team/app:1', false],
  ['b?sybox', 'busybox:latest', true],
  ['busybox:1', 'busybox:latest', false],
  ['a*b*c', 'axxbyybzzc:1', true],
  ['a*b*d', 'axxbyybzzc:1', false],
  ['', 'busybox:latest', false],
] as const) {
  test(`${pattern} ${expected ? 'matches' : 'does not match'} ${tag}`, () => {
    assert.equal(matchesTag(pattern, tag), expected);
  });
}

test('a pattern made to be slow is not', () => {
  const started = performance.now();
  assert.equal(matchesTag(`${'*a'.repeat(200)}b`, `${'a'.repeat(20_000)}:1`), false);
  assert.ok(performance.now() - started < 1000);
});
