import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { silentLogger } from '../../../kit/log.ts';
import { openRecords } from '../../../kit/records.ts';
import { ExecSpec } from '../../../proto/gen/longshore/execdriver/v1/exec.ts';
import { migrations } from '../containers/record.ts';
import { makePaths } from '../paths.ts';
import { openExecEnds } from './ends.ts';
import { openExecEvents } from './events.ts';
import { Exec } from './exec.ts';
import { type ExecRecord, execRecords } from './record.ts';
import { forgetExec } from './store.ts';

const id = 'cd'.repeat(32);

function store(t: TestContext, save: (record: ExecRecord) => void = () => {}) {
  const root = mkdtempSync(join(tmpdir(), 'longshore-execs-'));
  const records = openRecords(join(root, 'records.db'), { migrations });
  const saved = execRecords(records);
  const spec = ExecSpec.fromPartial({ args: ['true'] });
  const none = { process: undefined, monitor: undefined, exitCode: undefined };
  const exec = new Exec({
    id,
    containerId: 'c',
    generation: 1,
    spec,
    state: 'running',
    bootId: '',
    madeMs: 0,
    ...none,
  });
  const paths = makePaths(join(root, 'data'), join(root, 'run'));
  mkdirSync(paths.execOf(id), { recursive: true });
  const parts = {
    records,
    execs: new Map([[id, exec]]),
    execRecords: {
      ...saved,
      save(record: ExecRecord) {
        save(record);
        saved.save(record);
      },
    },
    execEvents: openExecEvents(records),
    paths,
    log: silentLogger(),
  };
  const ends = openExecEnds(parts);
  const keepAlive = setInterval(() => {}, 1000);
  t.after(() => {
    clearInterval(keepAlive);
    ends.close();
    records.close();
    rmSync(root, { recursive: true });
  });
  return { ...parts, exec, ends, saved, directory: paths.execOf(id) };
}

test('an end that cannot be recorded, as on a full disk, is told when it can', async (t) => {
  let failures = 2;
  const { exec, ends, saved, directory } = store(t, () => {
    if (failures-- > 0) throw new Error('database or disk is full');
  });
  const told = Promise.withResolvers<void>();
  ends.settle(exec, 7, told.resolve);
  // Its directory tells the next start the code.
  assert.deepEqual([exec.record.state, existsSync(directory)], ['running', true]);
  await told.promise;
  assert.equal(await exec.ended, 7);
  assert.equal(existsSync(directory), false);
  assert.deepEqual(
    saved.load().map(({ state, exitCode }) => [state, exitCode]),
    [['exited', 7]],
  );
});

test('who waits for an exec that is forgotten with its container is told an end', async (t) => {
  const { exec, ends, saved, directory, ...rest } = store(t);
  forgetExec(rest, exec, 137);
  assert.equal(await exec.ended, 137);
  ends.settle(exec, 0);
  assert.equal(existsSync(directory), false);
  assert.deepEqual(saved.load(), []);
});
