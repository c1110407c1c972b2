import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { tar } from './tar.ts';

test('tar reads back what was written', () => {
  const content = Buffer.from('x'.repeat(513));
  const archive = tar([
    { path: 'folder' },
    { path: 'folder/file', content },
    { path: 'empty', content: Buffer.alloc(0) },
  ]);
  const read = (...args: string[]) => execFileSync('tar', args, { input: archive, encoding: 'utf8' });
  assert.equal(read('-tf', '-'), 'folder/\nfolder/file\nempty\n');
  assert.equal(read('-xOf', '-', 'folder/file'), content.toString());
});
