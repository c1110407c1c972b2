import assert from 'node:assert/strict';
import { test } from 'node:test';
import { call, recordOf, run, startEngine, until } from '../testing/engine.ts';
import { exit, unavailable } from '../testing/world.ts';
import type { ContainerRecord } from './record.ts';
import { restartDelay } from './restart-policy.ts';

const second = 1_000_000_000n;

function ran(parts: Partial<ContainerRecord>, name: string, maximumRetryCount = 0): ContainerRecord {
  return {
    desired: 'running',
    stoppedByHand: false,
    restartCount: 0,
    backoffMs: 0,
    startedAtNs: 0n,
    ...parts,
    hostConfig: { restartPolicy: { name, maximumRetryCount } },
  } as ContainerRecord;
}

test('runs of a second wait 100, 200, 400 … ms, at most a minute; a run of ten seconds begins anew', () => {
  const waits: (number | undefined)[] = [];
  let backoffMs = 0;
  for (let run = 0; run < 12; run += 1) {
    const delay = restartDelay(ran({ backoffMs }, 'always'), { code: 0, timeNs: second });
    waits.push(delay);
    backoffMs = delay ?? 0;
  }
  assert.deepEqual(waits, [100, 200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 51_200, 60_000, 60_000]);
  assert.equal(restartDelay(ran({ backoffMs }, 'always'), { code: 0, timeNs: 10n * second }), 100);
});

test('each policy restarts after what it is for', () => {
  const after = (record: ContainerRecord, code: number) => restartDelay(record, { code, timeNs: second }) !== undefined;
  assert.equal(after(ran({}, 'no'), 1), false);
  assert.equal(after(ran({}, ''), 1), false);
  assert.equal(after(ran({}, 'always'), 0), true);
  assert.equal(after(ran({}, 'unless-stopped'), 0), true);
  assert.equal(after(ran({}, 'on-failure'), 0), false);
  assert.equal(after(ran({}, 'on-failure'), 1), true);
  assert.equal(after(ran({ restartCount: 2 }, 'on-failure', 3), 1), true);
  assert.equal(after(ran({ restartCount: 3 }, 'on-failure', 3), 1), false);
  assert.equal(after(ran({ desired: 'stopped' }, 'always'), 1), false);
});

test('a container that always fails under on-failure:2 runs three times and rests', async (t) => {
  const engine = await startEngine(t);
  engine.world.disturbAnswer = (called, request) => {
    if (called === 'execdriver.startContainer') exit(engine.world, (request as { id: string }).id, 1);
  };
  const id = await run(engine, { host: { restartPolicy: { name: 'on-failure', maximumRetryCount: 2 } } });
  await until(() => recordOf(engine, id)?.generation === 3 && recordOf(engine, id)?.status === 'exited', 'rests');
  assert.equal(recordOf(engine, id)?.restartCount, 2);
  await until(() => engine.world.sandboxes.size === 0, 'released');
});

test('a stop calls a waiting restart off', async (t) => {
  const engine = await startEngine(t);
  const id = await run(engine, { host: { restartPolicy: { name: 'always' } } });
  exit(engine.world, id, 1);
  await until(() => recordOf(engine, id)?.status === 'restarting', 'restarting');
  await call(engine, 'stopContainer', { container: id, signal: '' });
  const record = recordOf(engine, id);
  assert.deepEqual([record?.status, record?.exitCode], ['exited', 1]);
  await call(engine, 'startContainer', { container: id });
  assert.equal(recordOf(engine, id)?.restartCount, 0);
});

test('a restart by policy that finds a service down is tried again', async (t) => {
  const engine = await startEngine(t);
  const id = await run(engine, { host: { restartPolicy: { name: 'always' } } });
  let left = 4;
  engine.world.disturb = (called) => {
    if (called === 'graphdriver.mountLayer' && left-- > 0) throw unavailable('graphdriver');
  };
  exit(engine.world, id, 1);
  await until(() => recordOf(engine, id)?.generation === 2 && recordOf(engine, id)?.status === 'running', 'runs again');
});

test('a shutdown without live restore stops what runs and keeps its policy for the next engine', async (t) => {
  const engine = await startEngine(t);
  const id = await run(engine, { host: { restartPolicy: { name: 'unless-stopped' } } });
  await engine.containers.shutdown({ liveRestore: false });
  assert.equal(recordOf(engine, id)?.status, 'exited');
  assert.equal(engine.world.sandboxes.size, 0);
  await assert.rejects(call(engine, 'startContainer', { container: id }), /shutting down/);
  const next = await engine.crash();
  await until(() => recordOf(next, id)?.status === 'running', 'runs again');
});
