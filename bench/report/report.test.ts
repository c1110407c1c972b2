import assert from 'node:assert/strict';
import { test } from 'node:test';
import { page, readmeBlock } from './markdown.ts';
import { withBlock } from './markers.ts';
import type { Report } from './report.ts';
import { terminalTable } from './terminal.ts';

const report: Report = {
  date: '2026-01-02T03:04:05.000Z',
  host: {
    kernel: '6.18',
    processor: 'a processor',
    cores: 2,
    memoryMiB: 24_000,
    cgroups: 'cgroup v2',
    programs: { crun: '1.8.1' },
  },
  contestants: { longshore: 'Longshore 0.1.0', dockerd: 'dockerd 20.10.24' },
  figures: [
    {
      id: 'api',
      title: 'a life of `true`',
      unit: 'ms',
      hasTail: true,
      samples: { longshore: [4, 50, 60], dockerd: [200, 250, 300] },
      goals: [
        { statistic: 'median', atMost: 0.4, times: 'dockerd' },
        { statistic: 'median', atMost: 40 },
      ],
      notes: ['podman failed'],
    },
  ],
};

test('the terminal shows median, spread, tail, ratio and verdicts of each path, and the notes', () => {
  const text = terminalTable(report);
  assert.match(text, /^a life of true {2}50 ms \(4\.0–60, p99 60\) {2}250 ms \(200–300, p99 299\) {2}– +0\.20× +– /m);
  assert.match(text, /≤ 0\.4× dockerd ✓, ≤ 40 ms ✗ by 25 %$/m);
  assert.match(text, /podman failed/);
});

test('a page has a column for each engine that took part, and none for the others', () => {
  const header = page(report)
    .split('\n')
    .find((line) => line.startsWith('|'));
  assert.equal(header, '|  | Longshore 0.1.0 | dockerd 20.10.24 | ÷ dockerd | goal |');
});

test('the README gets medians and ratios only', () => {
  assert.match(readmeBlock(report, 'bench/results/x.md'), /^\| a life of `true` \| 50 ms \| 250 ms \| 0\.20× \|$/m);
});

test('writing into the README keeps everything outside of the markers, and can be repeated', () => {
  const text = 'before\n<!-- bench -->\nold\n<!-- /bench -->\nafter\n';
  const once = withBlock(text, 'new');
  assert.equal(once, 'before\n<!-- bench -->\nnew\n<!-- /bench -->\nafter\n');
  assert.equal(withBlock(once, 'new'), once);
});

test('a README without markers is left alone', () => {
  assert.throws(() => withBlock('text', 'new'), /there is no <!-- bench -->/);
});
