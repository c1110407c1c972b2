import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { suite, test } from 'node:test';
import { childrenOf } from '../../kit/linux/process.ts';
import { ExecState } from '../../proto/gen/longshore/execdriver/v1/exec.ts';
import { type Bench, newId, openBench, skip } from './testing/harness.ts';
import { processesWith, until } from './testing/host.ts';

const marker = '/tmp/was-run';

/** An exec that is made and not started, once its monitor waits. */
async function madeExec(bench: Bench, containerId: string, tty = false): Promise<{ id: string; monitor: number }> {
  const id = newId();
  await bench.clients.exec.createExec({ id, containerId, spec: { args: ['touch', marker], tty } });
  await until(() => processesWith(id).length > 0 && existsSync(`${directoryOf(bench, id)}/attach`));
  const [monitor = 0] = processesWith(id);
  return { id, monitor };
}

const directoryOf = (bench: Bench, id: string) => `${bench.directory}/run/execs/${id}`;
const isGone = (bench: Bench, id: string) => processesWith(id).length === 0 && !existsSync(directoryOf(bench, id));

async function startsAllTheSame(bench: Bench, id: string): Promise<void> {
  async function* opening() {
    yield { frame: { $case: 'open', value: { id, stdout: true } } } as const;
  }
  const frames = (await Array.fromAsync(bench.clients.exec.execStart(opening()))).map(({ frame }) => frame?.$case);
  assert.deepEqual(frames, ['ready', 'exit']);
  const { exec } = await bench.clients.exec.getExec({ id });
  assert.deepEqual([exec?.state, exec?.exitCode], [ExecState.EXEC_STATE_EXITED, 0]);
  assert.ok(existsSync(bench.root + marker));
  assert.equal(existsSync(directoryOf(bench, id)), false);
}

/** A monitor that waits for nobody yet: the only one there is, since its directory is. */
async function spareMonitor(bench: Bench): Promise<{ place: string; pid: number }> {
  const places = () => readdirSync(`${bench.directory}/run/execs`);
  await until(
    () => places().length === 1 && places().every((place) => existsSync(`${directoryOf(bench, place)}/attach`)),
  );
  const [place = ''] = places();
  const [pid = 0] = processesWith(place);
  return { place, pid };
}

/** A spare one whose runtime waits in its container's cgroups, which are told. */
async function spareInside(bench: Bench, container: string) {
  const cgroups = (await output(bench, container, 'cat', '/proc/1/cgroup')).trim();
  const { place, pid } = await spareMonitor(bench);
  const isInside = () =>
    childrenOf(pid).some((runtime) => readFileSync(`/proc/${runtime}/cgroup`, 'utf8').trim() === cgroups);
  await until(isInside);
  return { cgroups, place };
}

async function output(bench: Bench, containerId: string, ...args: string[]): Promise<string> {
  const id = newId();
  await bench.clients.exec.createExec({ id, containerId, spec: { args } });
  async function* opening() {
    yield { frame: { $case: 'open', value: { id, stdout: true } } } as const;
  }
  let text = '';
  for await (const { frame } of bench.clients.exec.execStart(opening())) {
    if (frame?.$case === 'stdout') text += Buffer.from(frame.value).toString();
  }
  return text;
}

suite('monitors that wait for the start of their execs', { skip }, () => {
  test('a start takes the one that waits', async () => {
    await using bench = await openBench();
    await bench.init();
    const { id, monitor } = await madeExec(bench, await bench.run(['sleep', '1000']));
    assert.equal(existsSync(bench.root + marker), false);
    const seen = new Set<number>();
    const watch = setInterval(() => {
      for (const pid of processesWith(id)) seen.add(pid);
    }, 1);
    await startsAllTheSame(bench, id).finally(() => clearInterval(watch));
    // The other is the runtime, or its copy of itself, below it.
    assert.equal(Math.min(...seen), monitor);
  });

  test('one whose exec nobody starts ends by itself, and runs nothing; the exec can be started later', async () => {
    await using bench = await openBench();
    await bench.init();
    const { id } = await madeExec(bench, await bench.run(['sleep', '1000']));
    await until(() => isGone(bench, id));
    assert.equal(existsSync(bench.root + marker), false);
    await startsAllTheSame(bench, id);
  });

  test('what one for a terminal has on the disk is in its own directory, and gone with it', async () => {
    await using bench = await openBench();
    await bench.init();
    const sockets = (directory: string) => readdirSync(directory).filter((name) => name.startsWith('conmon-term.'));
    const elsewhere = sockets(tmpdir());
    const { id } = await madeExec(bench, await bench.run(['sleep', '1000']), true);
    assert.equal(sockets(directoryOf(bench, id)).length, 1);
    await until(() => isGone(bench, id));
    assert.deepEqual(sockets(tmpdir()), elsewhere);
  });

  test('one that somebody has killed is replaced', async () => {
    await using bench = await openBench();
    await bench.init();
    const { id, monitor } = await madeExec(bench, await bench.run(['sleep', '1000']));
    process.kill(monitor, 'SIGKILL');
    await until(() => isGone(bench, id));
    await startsAllTheSame(bench, id);
  });

  test('one that is left alone by the death of the service ends and runs nothing', async () => {
    await using bench = await openBench({ serviceElsewhere: true });
    await bench.startElsewhere();
    await bench.init();
    const { id } = await madeExec(bench, await bench.run(['sleep', '1000']));
    await bench.killElsewhere();
    await until(() => processesWith(id).length === 0);
    assert.equal(existsSync(bench.root + marker), false);
    await bench.startElsewhere();
    assert.ok(isGone(bench, id));
    await startsAllTheSame(bench, id);
  });

  test('another Init leaves it to the start; with its container it goes, and by a drain', async () => {
    await using bench = await openBench();
    await bench.init();
    const container = await bench.run(['sleep', '1000']);
    const { id } = await madeExec(bench, container);
    await bench.init(2);
    await startsAllTheSame(bench, id);

    const { id: second } = await madeExec(bench, container);
    await bench.clients.process.signalContainer({ id: container, signal: 9 });
    await bench.wait(container);
    await bench.clients.process.removeContainer({ id: container });
    await until(() => isGone(bench, second));

    const { id: third } = await madeExec(bench, await bench.run(['sleep', '1000']));
    await bench.clients.control.drain({});
    assert.ok(isGone(bench, third));
  });

  test('after an exec a spare one waits, which the next takes; then there is another', async () => {
    await using bench = await openBench();
    await bench.init();
    const container = await bench.run(['sleep', '1000']);
    assert.equal(await output(bench, container, 'echo', 'first'), 'first\n');
    const spare = await spareMonitor(bench);
    assert.equal(await output(bench, container, 'echo', 'second'), 'second\n');
    // Long before it would have been given up.
    await until(() => isGone(bench, spare.place), 2000);
    const next = await spareMonitor(bench);
    assert.notEqual(next.place, spare.place);
    assert.equal(await output(bench, container, 'echo', 'third'), 'third\n');
  });

  test('the runtime of a spare one waits in the container’s cgroups, and is not shown as the container’s', async () => {
    await using bench = await openBench();
    await bench.init();
    const container = await bench.run(['sleep', '1000']);
    const { cgroups } = await spareInside(bench, container);
    const { processes } = await bench.clients.usage.listProcesses({ id: container });
    assert.deepEqual(
      processes.map(({ command }) => command),
      ['sleep 1000'],
    );
    for await (const { usage } of bench.clients.usage.watchUsage({ id: container, once: true })) {
      assert.equal(usage?.pids, 1);
    }
    assert.equal((await output(bench, container, 'cat', '/proc/self/cgroup')).trim(), cgroups);
  });

  test('it waits outside where it would be felt: two processes of two are the container’s', async () => {
    await using bench = await openBench();
    await bench.init();
    const container = await bench.run(['sleep', '1000'], { resources: { pidsLimit: 2 } });
    for (const word of ['one', 'two', 'three']) {
      assert.equal(await output(bench, container, 'echo', word), `${word}\n`);
      await spareMonitor(bench);
    }
  });

  test('it leaves before its container is frozen, or gets new limits', async () => {
    await using bench = await openBench();
    await bench.init();
    const container = await bench.run(['sleep', '1000']);
    const first = await spareInside(bench, container);
    await bench.clients.process.pauseContainer({ id: container });
    assert.ok(isGone(bench, first.place));
    await bench.clients.process.resumeContainer({ id: container });

    const second = await spareInside(bench, container);
    await bench.clients.usage.updateResources({ id: container, resources: { pidsLimit: 2 } });
    await until(() => isGone(bench, second.place), 2000);
    assert.equal(await output(bench, container, 'echo', 'limited'), 'limited\n');
  });

  test('a spare one serves its container alone, and goes when that ends', async () => {
    await using bench = await openBench();
    await bench.init();
    const [one, other] = [await bench.run(['sleep', '1000']), await bench.run(['sleep', '1001'])];
    await output(bench, one, 'true');
    const { place } = await spareMonitor(bench);
    assert.match(await output(bench, other, 'cat', '/proc/1/cmdline'), /1001/);
    await bench.clients.process.signalContainer({ id: one, signal: 9 });
    await bench.wait(one);
    await until(() => isGone(bench, place));
  });

  test('what runs by a spare one outlives the service, and its code is known to the next', async () => {
    await using bench = await openBench({ serviceElsewhere: true });
    await bench.startElsewhere();
    await bench.init();
    const container = await bench.run(['sleep', '1000']);
    await output(bench, container, 'true');
    const spare = await spareMonitor(bench);
    const id = newId();
    const script = `echo > ${marker}; while [ -e ${marker} ]; do sleep 0.1; done; exit 7`;
    await bench.clients.exec.createExec({ id, containerId: container, spec: { args: ['sh', '-c', script] } });
    async function* opening() {
      yield { frame: { $case: 'open', value: { id, detach: true } } } as const;
    }
    await Array.fromAsync(bench.clients.exec.execStart(opening()));
    await until(() => existsSync(bench.root + marker));
    assert.match(readFileSync(`/proc/${spare.pid}/cmdline`, 'utf8'), new RegExp(spare.place));
    await bench.killElsewhere();
    await bench.startElsewhere();
    await bench.init(2);
    const state = async () => (await bench.clients.exec.getExec({ id })).exec;
    assert.equal((await state())?.state, ExecState.EXEC_STATE_RUNNING);
    rmSync(bench.root + marker);
    await until(async () => (await state())?.state === ExecState.EXEC_STATE_EXITED);
    assert.equal((await state())?.exitCode, 7);
    await until(() => isGone(bench, spare.place));
  });
});
