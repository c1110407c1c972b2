import assert from 'node:assert/strict';
import { test } from 'node:test';
import { quantile, ratio, summarize } from './statistics.ts';

test('the median of an even number of samples lies between the two in the middle', () => {
  assert.equal(summarize([4, 1, 3, 2]).median, 2.5);
});

test('one sample is its own minimum, median, p99 and maximum', () => {
  assert.deepEqual(summarize([7]), { count: 1, min: 7, median: 7, p99: 7, max: 7 });
});

test('samples are put in order as numbers, and the caller keeps them as they were', () => {
  const samples = [10, 9, 100];
  assert.deepEqual(summarize(samples), { count: 3, min: 9, median: 10, p99: 98.2, max: 100 });
  assert.deepEqual(samples, [10, 9, 100]);
});

test('the 99th percentile of 0 to 100 is 99', () => {
  const samples = Array.from({ length: 101 }, (_, index) => index);
  assert.equal(quantile(samples, 0.99), 99);
});

test('a percentile between two ranks is interpolated', () => {
  assert.equal(quantile([0, 10], 0.25), 2.5);
});

test('nothing can be said about no samples', () => {
  assert.throws(() => summarize([]), RangeError);
});

test('a ratio compares medians, so one outlier does not move it', () => {
  assert.equal(ratio([10, 10, 900], [40, 40, 1]), 0.25);
});

test('there is no ratio to one that was not measured', () => {
  assert.equal(ratio([1], undefined), undefined);
  assert.equal(ratio([], [1]), undefined);
});
