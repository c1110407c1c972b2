import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { suite, test } from 'node:test';
import { ExecState } from '../../proto/gen/longshore/execdriver/v1/exec.ts';
import { type Bench, newId, openBench, skip } from './testing/harness.ts';
import { processesWith, until } from './testing/host.ts';

const marker = '/tmp/was-run';

/** An exec that is made and not started, once its monitor waits. */
async function madeExec(bench: Bench, containerId: string): Promise<{ id: string; monitor: number }> {
  const id = newId();
  await bench.clients.exec.createExec({ id, containerId, spec: { args: ['touch', marker] } });
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
  assert.deepEqual(readdirSync(`${bench.directory}/run/execs`), []);
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
});
