import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Exec, ExecState } from '../../proto/gen/longshore/execdriver/v1/exec.ts';
import { endedExecs } from './ended-execs.ts';

test('an exec that has ended is known for two seconds, with its code', (t) => {
  let now = 1000;
  t.mock.method(performance, 'now', () => now);
  const ended = endedExecs();
  ended.keep(Exec.fromPartial({ id: 'a', state: ExecState.EXEC_STATE_RUNNING, pid: 7 }), 3);
  now += 1999;
  ended.keep(Exec.fromPartial({ id: 'b' }), 0);
  const { state, exitCode, pid } = ended.find('a') ?? {};
  assert.deepEqual([state, exitCode, pid], [ExecState.EXEC_STATE_EXITED, 3, 0]);
  now += 1;
  assert.equal(ended.find('a'), undefined);
  assert.equal(ended.find('b')?.exitCode, 0);
});

test('of a thousand the oldest is forgotten', () => {
  const ended = endedExecs();
  for (let n = 0; n <= 1000; n++) ended.keep(Exec.fromPartial({ id: `${n}` }), 0);
  assert.equal(ended.find('0'), undefined);
  assert.ok(ended.find('1'));
});
