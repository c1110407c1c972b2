import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { DirectoryLocked, lockDirectory } from './lock.ts';

function place() {
  const path = mkdtempSync(join(tmpdir(), 'longshore-lock-'));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

/** Another process that holds the lock until it is killed. */
async function otherHolder(path: string, afterwards = '') {
  const script = `
    const { lockDirectory } = await import(${JSON.stringify(import.meta.resolve('./lock.ts'))});
    await lockDirectory(${JSON.stringify(path)}, 'the other');
    setInterval(() => {}, 1000);
    console.log('locked');
    ${afterwards}`;
  const stdio = ['ignore', 'pipe', 'inherit'] as const;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: [...stdio] });
  assert.ok(child.stdout);
  await once(child.stdout, 'data');
  return {
    pid: child.pid,
    async kill() {
      child.kill('SIGKILL');
      await once(child, 'exit');
    },
  };
}

test('a second holder is refused, by whichever path it comes, and told who holds it', async () => {
  using held = place();
  const link = `${held.path}-link`;
  symlinkSync(held.path, link);
  const lock = await lockDirectory(held.path, 'longshore daemon');
  await assert.rejects(lockDirectory(link, 'another'), (error) => {
    assert.ok(error instanceof DirectoryLocked);
    assert.deepEqual([error.directory, error.pid, error.owner], [link, process.pid, 'longshore daemon']);
    assert.match(error.message, new RegExp(`in use by another process \\(longshore daemon, pid ${process.pid}\\)`));
    return true;
  });
  rmSync(link);
  await lock.release();
});

test('a released lock can be taken again, and released twice', async () => {
  using held = place();
  const lock = await lockDirectory(held.path, 'one');
  await lock.release();
  await lock.release();
  const again = await lockDirectory(held.path, 'two');
  await again.release();
});

test('locks of different directories are independent', async () => {
  using one = place();
  using two = place();
  const locks = await Promise.all([lockDirectory(one.path, 'a'), lockDirectory(two.path, 'b')]);
  await Promise.all(locks.map((lock) => lock.release()));
});

test('the lock of a killed process is free', async () => {
  using held = place();
  const holder = await otherHolder(held.path);
  await assert.rejects(lockDirectory(held.path, 'we'), { pid: holder.pid, owner: 'the other' });
  await holder.kill();
  const lock = await lockDirectory(held.path, 'we');
  await lock.release();
});

test('a holder that hangs still holds, and its pid is told', async () => {
  using held = place();
  const holder = await otherHolder(
    held.path,
    'for (;;) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1000);',
  );
  await assert.rejects(lockDirectory(held.path, 'we'), { name: 'DirectoryLocked', pid: holder.pid });
  await holder.kill();
});

test('of many who try at once one gets it', async () => {
  using held = place();
  const outcomes = await Promise.allSettled(Array.from({ length: 10 }, () => lockDirectory(held.path, 'x')));
  const locks = outcomes.filter((outcome) => outcome.status === 'fulfilled');
  assert.equal(locks.length, 1);
  await locks[0]?.value.release();
});
