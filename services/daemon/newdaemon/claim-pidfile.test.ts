import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { resolveConfig } from '../config.ts';
import { Boot } from './boot.ts';
import { claimPidfile } from './claim-pidfile.ts';

function place(t: TestContext) {
  const dir = mkdtempSync(join(tmpdir(), 'ls-pidfile-'));
  t.after(() => rmSync(dir, { recursive: true }));
  const pidfile = join(dir, 'longshore.pid');
  const boot = new Boot([]);
  return { pidfile, boot, claim: () => boot.run(claimPidfile(resolveConfig({ pidfile }, {}))) };
}

test('the pidfile has the pid while the boot lives and is gone after it', async (t) => {
  const { pidfile, boot, claim } = place(t);
  await claim();
  assert.equal(readFileSync(pidfile, 'utf8'), `${process.pid}\n`);
  await boot.undo();
  assert.equal(existsSync(pidfile), false);
});

for (const [content, what] of [
  ['abc', 'not a number'],
  ['', 'empty'],
  ['4194304\n', 'the pid of nobody'],
  ['1\n', 'the pid of a process that is no engine'],
]) {
  test(`a stale pidfile (${what}) is replaced`, async (t) => {
    const { pidfile, boot, claim } = place(t);
    writeFileSync(pidfile, content ?? '');
    await claim();
    assert.equal(readFileSync(pidfile, 'utf8'), `${process.pid}\n`);
    await boot.undo();
  });
}
