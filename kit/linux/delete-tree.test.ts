import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { deleteTree } from './delete-tree.ts';
import { mkdirAt } from './directory-entries.ts';
import { closeDescriptor, OpenFlag, openDescriptor } from './libc.ts';
import { openBeneath } from './openat2.ts';

test('deletes a tree, and a symlink in it but not what it points to', (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'longshore-delete-'));
  t.after(() => rmSync(directory, { recursive: true }));
  mkdirSync(join(directory, 'tree/a/b'), { recursive: true });
  mkdirSync(join(directory, 'kept'));
  writeFileSync(join(directory, 'kept/file'), 'x');
  symlinkSync(join(directory, 'kept'), join(directory, 'tree/a/link'));
  deleteTree(join(directory, 'tree'));
  deleteTree(join(directory, 'tree'));
  deleteTree(join(directory, 'never/was'));
  assert.deepEqual(readdirSync(directory), ['kept']);
  assert.ok(existsSync(join(directory, 'kept/file')));
});

test('deletes a tree that is deeper than any path can say', (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'longshore-delete-'));
  t.after(() => rmSync(directory, { recursive: true }));
  mkdirSync(join(directory, 'tree'));
  let current = openDescriptor(join(directory, 'tree'), OpenFlag.RDONLY | OpenFlag.DIRECTORY);
  for (let depth = 0; depth < 1500; depth++) {
    mkdirAt(current, 'sub-directory', 0o755);
    const next = openBeneath(current, 'sub-directory', OpenFlag.RDONLY | OpenFlag.DIRECTORY);
    closeDescriptor(current);
    current = next;
  }
  closeDescriptor(current);
  deleteTree(join(directory, 'tree'));
  assert.deepEqual(readdirSync(directory), []);
});
