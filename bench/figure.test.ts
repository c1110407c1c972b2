import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Figure, verdicts } from './figure.ts';

const figure: Figure = {
  id: 'boot',
  title: 'boot',
  unit: 'ms',
  samples: { longshore: [90, 100, 110], dockerd: [200, 200, 200] },
  goals: [
    { statistic: 'median', atMost: 0.4, times: 'dockerd' },
    { statistic: 'median', atMost: 0.4, times: 'podman' },
    { statistic: 'p99', atMost: 120 },
  ],
};

test('a goal relative to another engine is judged by the medians of the same run', () => {
  const [relative] = verdicts(figure);
  assert.deepEqual([relative?.limit, relative?.reached, relative?.isMet], [80, 100, false]);
});

test('a goal relative to an engine that was not measured is left out', () => {
  assert.deepEqual(
    verdicts(figure).map(({ goal }) => goal.times),
    ['dockerd', undefined],
  );
});

test('reaching a limit exactly meets it', () => {
  const samples = { longshore: [80], dockerd: [200] };
  assert.equal(verdicts({ ...figure, samples })[0]?.isMet, true);
});

test('nothing is judged when Longshore was not measured', () => {
  assert.deepEqual(verdicts({ ...figure, samples: { dockerd: [1] } }), []);
});
