import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { sealedCopy } from './sealed-copy.ts';

test('a sealed copy is the file, can be executed, and cannot be changed by anybody', () => {
  const copy = sealedCopy('/bin/echo');
  assert.deepEqual(readFileSync(copy.path), readFileSync('/bin/echo'));
  assert.equal(execFileSync(copy.path, ['run']).toString(), 'run\n');
  assert.throws(() => writeFileSync(copy.path, 'x'), { code: 'EPERM' });
  copy.close();
  assert(!existsSync(copy.path));
});

test('what is not there cannot be copied', () => {
  assert.throws(() => sealedCopy('/no/such/program'), { code: 'ENOENT' });
});
