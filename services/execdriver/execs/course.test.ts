import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { silentLogger } from '../../../kit/log.ts';
import { openRecords } from '../../../kit/records.ts';
import { ExecSpec } from '../../../proto/gen/longshore/execdriver/v1/exec.ts';
import { migrations } from '../containers/record.ts';
import { makePaths } from '../paths.ts';
import { openExecCourse } from './course.ts';
import { openExecEvents } from './events.ts';
import { Exec } from './exec.ts';
import { type ExecRecord, execRecords } from './record.ts';
import { forgetExec } from './store.ts';

const id = 'cd'.repeat(32);

function store(t: TestContext, save: (record: ExecRecord) => unknown = () => {}) {
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
  const course = openExecCourse(parts);
  const keepAlive = setInterval(() => {}, 1000);
  t.after(() => {
    clearInterval(keepAlive);
    course.close();
    records.close();
    rmSync(root, { recursive: true });
  });
  return { ...parts, exec, course, saved, directory: paths.execOf(id) };
}

test('an end that cannot be recorded, as on a full disk, is told when it can', async (t) => {
  let failures = 2;
  const { exec, course, saved, directory } = store(t, () => {
    if (failures-- > 0) throw new Error('database or disk is full');
  });
  const told = Promise.withResolvers<void>();
  course.ended(exec, 7, told.resolve);
  // Its directory tells the next start the code.
  assert.deepEqual([exec.record.state, existsSync(directory)], ['running', true]);
  await told.promise;
  assert.equal(await exec.ended, 7);
  // A turn later: nobody is to wait for it.
  while (existsSync(directory)) await delay(1);
  assert.deepEqual(
    saved.load().map(({ state, exitCode }) => [state, exitCode]),
    [['exited', 7]],
  );
});

test('who waits for an exec that is forgotten with its container is told an end', async (t) => {
  const { exec, course, saved, directory, ...rest } = store(t);
  forgetExec(rest, exec, 137);
  assert.equal(await exec.ended, 137);
  course.ended(exec, 0);
  while (existsSync(directory)) await delay(1);
  assert.deepEqual(saved.load(), []);
});

test('that it runs is known at once, and recorded if it still does a moment later', async (t) => {
  const written: string[] = [];
  const { exec, course, execs, saved } = store(t, ({ state }) => written.push(state));
  const mark = { pid: 7, startTime: '1' };
  course.begun(exec, { process: mark, monitor: mark });
  assert.deepEqual([exec.record.state, exec.record.process, written], ['running', mark, []]);
  course.ended(exec, 0);
  const lasting = new Exec({ ...exec.record, id: 'ef'.repeat(32), state: 'starting', exitCode: undefined });
  execs.set(lasting.record.id, lasting);
  course.begun(lasting, { process: mark, monitor: mark });
  while (written.length < 2) await delay(1);
  assert.deepEqual(written, ['exited', 'running']);
  assert.deepEqual(saved.load().find(({ id }) => id === lasting.record.id)?.process, mark);
});
