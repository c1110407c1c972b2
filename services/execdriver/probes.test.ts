import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { suite, test } from 'node:test';
import { isServiceError } from '../../kit/errors.ts';
import { ExecSpec } from '../../proto/gen/longshore/execdriver/v1/exec.ts';
import { type Bench, openBench, skip } from './testing/harness.ts';
import { noneRuns, someRuns, until } from './testing/host.ts';

interface Wish {
  timeoutMs?: number;
  limit?: number;
  signal?: AbortSignal;
  spec?: Parameters<typeof ExecSpec.fromPartial>[0];
}

async function probe(bench: Bench, containerId: string, args: string[], wish: Wish = {}) {
  const { timeoutMs = 20_000, limit = 4096, signal } = wish;
  const request = {
    containerId,
    spec: ExecSpec.fromPartial({ args, ...wish.spec }),
    timeoutNs: BigInt(timeoutMs) * 1_000_000n,
    outputLimit: limit,
  };
  const { exitCode, output, outputCut } = await bench.clients.exec.runProbe(request, signal ? { signal } : {});
  return { exitCode, output: Buffer.from(output).toString(), outputCut };
}

async function failure(promise: Promise<unknown>): Promise<string> {
  const error = await promise.catch((thrown: unknown) => thrown);
  return isServiceError(error) ? `${error.reason} ${error.message}` : String(error);
}

suite('probes', { skip }, () => {
  test('a probe runs as its container does; its output comes in order, with its exit code', async () => {
    await using bench = await openBench();
    await bench.init();
    const container = await bench.run(['sleep', '1000'], { env: ['A=container'], user: 'app', workingDir: '/tmp' });
    const script = 'echo out $A $(id -u) $(pwd); echo err >&2; exit 3';
    assert.deepEqual(await probe(bench, container, ['sh', '-c', script]), {
      exitCode: 3,
      output: 'out container 1000 /tmp\nerr\n',
      outputCut: false,
    });
    assert.equal((await probe(bench, container, ['true'])).exitCode, 0);
    const listed = await Array.fromAsync(bench.clients.exec.listExecs({ containerId: container }));
    assert.deepEqual(listed, []);
  });

  test('of much output the beginning is kept', async () => {
    await using bench = await openBench();
    await bench.init();
    const container = await bench.run(['sleep', '1000']);
    const script = 'printf first; head -c 3000000 /dev/zero';
    const { exitCode, output, outputCut } = await probe(bench, container, ['sh', '-c', script], { limit: 100 });
    assert.deepEqual([exitCode, output, outputCut], [0, `first${'\0'.repeat(95)}`, true]);
  });

  test('what cannot be run says why: no such command, not executable, no such user, not running', async () => {
    await using bench = await openBench();
    await bench.init();
    const container = await bench.run(['sleep', '1000']);
    assert.match(
      await failure(probe(bench, container, ['no-such-command'])),
      /^COMMAND_NOT_FOUND OCI runtime exec failed: .*"no-such-command": executable file not found in \$PATH: unknown/,
    );
    assert.match(await failure(probe(bench, container, ['/etc/notexec'])), /^COMMAND_NOT_EXECUTABLE /);
    // The words of a failure are not those of the next one.
    assert.equal((await probe(bench, container, ['false'])).exitCode, 1);
    assert.match(await failure(probe(bench, container, ['true'], { spec: { user: 'ghost' } })), /^UNKNOWN_USER /);
    assert.match(await failure(probe(bench, container, ['true'], { timeoutMs: 0 })), /^BAD_SPEC /);
    await bench.clients.process.pauseContainer({ id: container });
    assert.match(await failure(probe(bench, container, ['true'])), /^CONTAINER_PAUSED /);
    await bench.clients.process.resumeContainer({ id: container });
    await bench.clients.process.signalContainer({ id: container, signal: 9 });
    await bench.wait(container);
    assert.match(await failure(probe(bench, container, ['true'])), /^NOT_RUNNING /);
  });

  test('at the timeout all of it ends, with what it has put into the background; the container runs on', async () => {
    await using bench = await openBench();
    await bench.init();
    const container = await bench.run(['sleep', '1000']);
    const script = 'echo begun; (sleep 4321 &); sleep 4322 & sleep 4323; true';
    const { exitCode, output } = await probe(bench, container, ['sh', '-c', script], { timeoutMs: 200 });
    assert.deepEqual([exitCode, output], [undefined, 'begun\n']);
    for (const seconds of [4321, 4322, 4323]) await noneRuns(`sleep\0${seconds}`);
    assert.equal((await probe(bench, container, ['true'])).exitCode, 0);
  });

  test('what is killed at its timeout does not stay behind as a zombie', async () => {
    await using bench = await openBench();
    await bench.init();
    const container = await bench.run(['sleep', '1000']);
    await probe(bench, container, ['sleep', '4324'], { timeoutMs: 50 });
    const { output } = await probe(bench, container, ['sh', '-c', 'grep -h State /proc/[0-9]*/status']);
    assert.doesNotMatch(output, /zombie/);
  });

  test('one that puts something into the background is answered when it has ended itself', async () => {
    await using bench = await openBench();
    await bench.init();
    const container = await bench.run(['sleep', '1000']);
    const { exitCode, output } = await probe(bench, container, ['sh', '-c', 'echo well; sleep 4331 & exit 0']);
    assert.deepEqual([exitCode, output], [0, 'well\n']);
  });

  test('a cancelled call ends it', async () => {
    await using bench = await openBench();
    await bench.init();
    const container = await bench.run(['sleep', '1000']);
    const leaving = new AbortController();
    const probing = probe(bench, container, ['sleep', '4341'], { signal: leaving.signal });
    await until(() => someRuns('sleep\u00004341'));
    leaving.abort();
    await assert.rejects(probing);
    await noneRuns('sleep\u00004341');
  });

  test('one that outlived a killed service is ended by the next, and the container runs on', async () => {
    await using bench = await openBench({ serviceElsewhere: true });
    await bench.startElsewhere();
    await bench.init();
    const container = await bench.run(['sleep', '1000']);
    const script = 'sleep 4351 & sleep 4352; true';
    // Else the client would ask again.
    const leaving = new AbortController();
    const probing = probe(bench, container, ['sh', '-c', script], { signal: leaving.signal }).catch(() => 'lost');
    await until(() => someRuns('sleep\u00004352'));
    await bench.killElsewhere();
    leaving.abort();
    assert.equal(await probing, 'lost');
    assert(someRuns('sleep\u00004352'));
    await bench.startElsewhere();
    for (const seconds of [4351, 4352]) await noneRuns(`sleep\0${seconds}`);
    assert.equal((await probe(bench, container, ['true'])).exitCode, 0);
  });

  test('the files of a container’s probes go with it', async () => {
    await using bench = await openBench();
    await bench.init();
    const container = await bench.run(['sleep', '1000']);
    await probe(bench, container, ['true']);
    await bench.clients.process.signalContainer({ id: container, signal: 9 });
    await bench.wait(container);
    await bench.clients.process.removeContainer({ id: container });
    assert.deepEqual(readdirSync(`${bench.directory}/run/probes`), []);
  });
});
