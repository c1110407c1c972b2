import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { openSyncedLog } from './synced-log.ts';

/** A log whose syncs end when the test says so. */
function slowLog() {
  const folder = mkdtempSync(join(tmpdir(), 'synced-log-'));
  writeFileSync(join(folder, 'log'), '');
  const syncs: PromiseWithResolvers<void>[] = [];
  const log = openSyncedLog(join(folder, 'log'), () => {
    const sync = Promise.withResolvers<void>();
    syncs.push(sync);
    return sync.promise;
  });
  const dispose = () => {
    log.close();
    rmSync(folder, { recursive: true });
  };
  return { log, syncs, [Symbol.dispose]: dispose };
}

test('who comes while a sync runs waits for one that begins after them, and shares it', async () => {
  using at = slowLog();
  const ended: string[] = [];
  const wait = (name: string) => at.log.synced().then(() => ended.push(name));
  const first = wait('first');
  await turn();
  const others = [wait('second'), wait('third')];
  await turn();
  assert.equal(at.syncs.length, 1);
  at.syncs[0]?.resolve();
  await first;
  await turn();
  assert.deepEqual(ended, ['first']);
  assert.equal(at.syncs.length, 2);
  at.syncs[1]?.resolve();
  await Promise.all(others);
  assert.equal(at.syncs.length, 2);
});

test('what nobody waits for is synced soon, once', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  using at = slowLog();
  at.log.written();
  at.log.written();
  t.mock.timers.tick(499);
  await turn();
  assert.equal(at.syncs.length, 0);
  t.mock.timers.tick(1);
  await turn();
  assert.equal(at.syncs.length, 1);
  at.syncs[0]?.resolve();
});

test('a sync that fails is told to those who waited for it, and the next one tries again', async () => {
  using at = slowLog();
  const failed = assert.rejects(at.log.synced(), /disk/);
  await turn();
  at.syncs[0]?.reject(new Error('the disk is gone'));
  await failed;
  const again = at.log.synced();
  await turn();
  at.syncs[1]?.resolve();
  await again;
});
