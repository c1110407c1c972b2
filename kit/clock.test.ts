import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nowNs } from './clock.ts';

const millisecond = 1_000_000n;

test('it counts finer than milliseconds, and is not far from the host’s clock', () => {
  const readings = Array.from({ length: 100 }, nowNs);
  assert.ok(readings.some((reading) => reading % millisecond !== 0n));
  const difference = nowNs() - BigInt(Date.now()) * millisecond;
  assert.ok(difference > -10n * millisecond && difference < 10n * millisecond, `${difference} ns`);
});

test('a clock that was set is followed', (t) => {
  const later = Date.now() + 3_600_000;
  t.mock.method(Date, 'now', () => later);
  assert.equal(nowNs(), BigInt(later) * millisecond);
});
