import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { suite, test } from 'node:test';
import { isServiceError } from '../../kit/errors.ts';
import { readHierarchies } from './cgroups/hierarchies.ts';
import { openMonitorCgroup } from './cgroups/monitors.ts';
import { removeCgroup } from './cgroups/tree.ts';
import { newId, openBench, skip } from './testing/harness.ts';
import { until } from './testing/host.ts';

const pids = () => readHierarchies().directoryOf('pids', '') ?? '';
const placesOf = (cgroup: string) => readHierarchies().all.map(({ root }) => `${root}${cgroup}`);

/** Somebody else's process in a cgroup of his. */
async function stranger(cgroup: string) {
  const directory = `${pids()}${cgroup}`;
  mkdirSync(directory, { recursive: true });
  const child: ChildProcess = spawn('sleep', ['1000']);
  writeFileSync(`${directory}/cgroup.procs`, String(child.pid));
  return {
    get lives() {
      return child.exitCode === null && child.signalCode === null;
    },
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
      await until(() => readFileSync(`${directory}/cgroup.procs`, 'utf8') === '');
      rmdirSync(directory);
    },
  };
}

suite('cgroups of the engine', { skip }, () => {
  test('none stays when the last container has ended, and the engine with it', async () => {
    await using bench = await openBench();
    const home = `/longshore-${bench.engineId.slice(0, 12)}`;
    await bench.init();
    await bench.wait(await bench.run(['true']));
    assert.ok(placesOf(home).every(existsSync));
    await bench.clients.control.drain({ keep: [] });
    assert.deepEqual(placesOf(home).filter(existsSync), []);
  });

  test('those of a service that never came to start anything go as well', async () => {
    await using bench = await openBench({ serviceElsewhere: true });
    const home = `/longshore-${bench.engineId.slice(0, 12)}`;
    await bench.startElsewhere();
    await bench.init();
    await bench.killElsewhere();
    await bench.startElsewhere();
    await bench.clients.control.drain({ keep: [] });
    assert.deepEqual(placesOf(home).filter(existsSync), []);
  });

  test('in a parent that others use too, they and what looks like a container of theirs are left alone', async () => {
    const parent = `/longshore-test-${newId().slice(0, 8)}`;
    try {
      await using ours = await stranger(`${parent}/others`);
      const theirId = newId();
      await using theirs = await stranger(`${parent}/${theirId}`);
      await using bench = await openBench();
      await bench.init(1, { cgroupParent: parent });
      const id = await bench.run(['sleep', '1000']);
      assert.ok(existsSync(`${pids()}${parent}/${id}`));
      await bench.clients.process.removeContainer({ id: theirId });
      await bench.restart();
      assert.deepEqual((await bench.clients.control.drain({ keep: [] })).problems, []);
      assert.deepEqual([ours.lives, theirs.lives], [true, true]);
      assert.equal(existsSync(`${pids()}${parent}/${id}`), false);
      assert.deepEqual(placesOf(`${parent}/longshore-${bench.engineId.slice(0, 12)}`).filter(existsSync), []);
    } finally {
      await removeCgroup(readHierarchies(), parent);
    }
  });

  test('after Drain has begun nothing is started any more', async () => {
    await using bench = await openBench();
    await bench.init();
    const starts = Array.from({ length: 6 }, () => bench.run(['sleep', '1000']).catch((error: unknown) => error));
    const drained = bench.clients.control.drain({ keep: [] });
    const late = await bench.run(['sleep', '1000']).catch((error: unknown) => error);
    assert.deepEqual((await drained).problems, []);
    assert.ok(isServiceError(late, 'NOT_INITIALISED'), String(late));
    await Promise.all(starts);
    assert.deepEqual(placesOf(`/longshore-${bench.engineId.slice(0, 12)}`).filter(existsSync), []);
  });

  test('a monitor that is being moved while the policy changes is not written into another file', async () => {
    const cgroup = `/longshore-test-${newId().slice(0, 8)}`;
    const hierarchies = readHierarchies();
    const monitors = openMonitorCgroup(hierarchies, cgroup);
    try {
      const child = spawn('sleep', ['1000']);
      const moved = monitors.add(child.pid ?? 0);
      monitors.close();
      assert.deepEqual(await moved, []);
      assert.deepEqual(await monitors.add(child.pid ?? 0), []);
      const lines = readFileSync(`/proc/${child.pid}/cgroup`, 'utf8');
      assert.match(lines, new RegExp(`:pids:${cgroup}\n|0::${cgroup}\n`));
    } finally {
      await removeCgroup(hierarchies, cgroup);
    }
  });
});
