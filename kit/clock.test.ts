import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { nowNs } from './clock.ts';

const millisecond = 1_000_000n;

test('it counts finer than milliseconds, and is not far from the host’s clock', () => {
  const readings = Array.from({ length: 100 }, nowNs);
  assert.ok(readings.some((reading) => reading % millisecond !== 0n));
  const difference = nowNs() - BigInt(Date.now()) * millisecond;
  assert.ok(difference > -10n * millisecond && difference < 10n * millisecond, `${difference} ns`);
});

test('what another process reads lies between two readings of ours', () => {
  const microseconds = 1000n;
  const before = nowNs();
  const theirs = BigInt(execFileSync('date', ['+%s%N'], { encoding: 'utf8' }).trim());
  const after = nowNs();
  assert.ok(before - 100n * microseconds < theirs, `${theirs - before} ns after the first`);
  assert.ok(theirs < after + 100n * microseconds, `${after - theirs} ns before the second`);
});

test('a clock that was set is followed', (t) => {
  const later = Date.now() + 3_600_000;
  t.mock.method(Date, 'now', () => later);
  assert.equal(nowNs(), BigInt(later) * millisecond);
});
