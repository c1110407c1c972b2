import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { silentLogger } from '../../../kit/log.ts';
import { makePaths } from '../paths.ts';
import { openLogRemoval } from './removal.ts';

test('logs are nobody’s at once, deleted soon, and by the next life where this one ends', async (t) => {
  const root = mkdtempSync(join(tmpdir(), 'longshore-logs-'));
  t.after(() => rmSync(root, { recursive: true }));
  const paths = makePaths(join(root, 'data'), join(root, 'run'));
  const make = (directory: string) => {
    mkdirSync(directory);
    writeFileSync(join(directory, 'container.log'), 'said');
  };
  make(join(paths.logs, 'removing-before'));
  for (const id of ['kept', 'gone']) make(paths.logDirectoryOf(id));

  const removal = openLogRemoval(paths, silentLogger());
  removal.remove('gone');
  removal.remove('never there');
  assert.equal(existsSync(paths.logDirectoryOf('gone')), false);
  // The same name again, while the first may still be on its way out.
  make(paths.logDirectoryOf('gone'));
  removal.remove('gone');
  await removal.settled();
  assert.deepEqual(readdirSync(paths.logs), ['kept']);
});
