import assert from 'node:assert/strict';
import { test } from 'node:test';
import { durationWords } from './duration-words.ts';

test('durations are printed as Go does', () => {
  for (const [ns, words] of [
    [0n, '0s'],
    [1n, '1ns'],
    [1_100n, '1.1µs'],
    [500_000_000n, '500ms'],
    [1_500_000n, '1.5ms'],
    [30_000_000_000n, '30s'],
    [1_500_000_000n, '1.5s'],
    [90_000_000_000n, '1m30s'],
    [3_600_000_000_000n, '1h0m0s'],
    [5_430_050_000_000n, '1h30m30.05s'],
  ] as const) {
    assert.equal(durationWords(ns), words);
  }
});
