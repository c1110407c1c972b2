import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { isResource, RLIM_INFINITY, resourceLimit, resourceLimits } from './resource-limits.ts';

test('limits are those that the shell shows', () => {
  const shown = execFileSync('/bin/sh', ['-c', 'ulimit -H -n; ulimit -S -c; ulimit -H -s'], { encoding: 'utf8' });
  const [files, core, stack] = shown.trim().split('\n');
  const text = (limit: bigint, unit: bigint): string => (limit === RLIM_INFINITY ? 'unlimited' : `${limit / unit}`);
  assert.equal(text(resourceLimit('RLIMIT_NOFILE').hard, 1n), files);
  assert.equal(text(resourceLimit('RLIMIT_CORE').soft, 512n), core);
  assert.equal(text(resourceLimit('RLIMIT_STACK').hard, 1024n), stack);
});

test('all sixteen limits are there', () => {
  assert.equal(resourceLimits().size, 16);
  assert.equal(isResource('RLIMIT_NOFILE'), true);
  assert.equal(isResource('toString'), false);
});
