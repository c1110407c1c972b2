import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { suite, test } from 'node:test';
import { isServiceError } from '../../kit/errors.ts';
import { Outcome } from '../../proto/gen/longshore/contract/v1/outcome.ts';
import { ProcessEvent, ProcessState } from '../../proto/gen/longshore/execdriver/v1/process.ts';
import { type Bench, newId, openBench, skip, specOf } from './testing/harness.ts';
import { cgroupsBelow, until } from './testing/host.ts';

async function reasonOf(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(
    () => undefined,
    (failure: unknown) => failure,
  );
  if (!isServiceError(error)) throw error ?? new Error('it did not fail');
  return error.reason;
}

async function processOf(bench: Bench, id: string) {
  const { process } = await bench.clients.process.getContainer({ id });
  assert.ok(process);
  return process;
}

suite('containers', { skip }, () => {
  test('a command runs and its exit code is known, also after it has ended', async () => {
    await using bench = await openBench();
    await bench.init();
    const id = await bench.run(['sh', '-c', 'exit 7']);
    assert.equal((await bench.wait(id)).code, 7);
    const { state, exit, pid } = await processOf(bench, id);
    assert.deepEqual([state, exit?.code, exit?.oomKilled, pid], [ProcessState.PROCESS_STATE_EXITED, 7, false, 0]);
    assert.equal((await bench.wait(id)).code, 7);
  });

  test('nothing is left of a container that was removed', async () => {
    await using bench = await openBench();
    await bench.init();
    const id = await bench.run(['sh', '-c', 'echo said']);
    await bench.wait(id);
    const { outcome } = await bench.clients.process.removeContainer({ id });
    assert.equal(outcome, Outcome.OUTCOME_DONE);
    assert.deepEqual(readdirSync(`${bench.directory}/run/bundles`), []);
    assert.deepEqual(readdirSync(`${bench.directory}/run/crun`), []);
    assert.deepEqual(readdirSync(`${bench.directory}/data/execdriver/exits`), []);
    await until(() => readdirSync(`${bench.directory}/data/execdriver/logs`).length === 0);
    assert.deepEqual(cgroupsBelow(bench.engineId), ['conmon']);
    assert.equal(await reasonOf(bench.clients.process.getContainer({ id })), 'CONTAINER_NOT_FOUND');
    assert.equal((await bench.clients.process.removeContainer({ id })).outcome, Outcome.OUTCOME_ABSENT);
  });

  test('draining takes away the cgroups as well', async () => {
    const bench = await openBench();
    await bench.init();
    const id = await bench.run(['sleep', '1000']);
    const { pid } = await processOf(bench, id);
    await bench[Symbol.asyncDispose]();
    assert.deepEqual(cgroupsBelow(bench.engineId), []);
    assert.equal(existsSync(`/proc/${pid}`), false);
  });

  test('a start that is repeated finds the container started; an older generation is refused', async () => {
    await using bench = await openBench();
    await bench.init();
    const id = await bench.run(['sleep', '1000'], {}, newId(), 2);
    const spec = specOf(bench.root, ['sleep', '1000']);
    const again = await bench.clients.process.startContainer({ id, generation: 2, spec });
    assert.equal(again.outcome, Outcome.OUTCOME_ALREADY);
    assert.equal(await reasonOf(bench.clients.process.startContainer({ id, generation: 1, spec })), 'STALE_GENERATION');
    assert.equal(await reasonOf(bench.clients.process.startContainer({ id, generation: 3, spec })), 'RUNNING');
  });

  test('the same request id gives the same answer', async () => {
    await using bench = await openBench();
    await bench.init();
    const [id, spec] = [newId(), specOf(bench.root, ['sleep', '1000'])];
    const start = () => bench.clients.process.startContainer({ id, generation: 1, spec }, { requestId: 'once' });
    const [first, second] = await Promise.all([start(), start()]);
    assert.deepEqual([first.outcome, second.outcome], [Outcome.OUTCOME_DONE, Outcome.OUTCOME_DONE]);
    assert.equal(first.process?.pid, second.process?.pid);
  });

  test('a container that has ended is started again, and its log goes on', async () => {
    await using bench = await openBench();
    await bench.init();
    const id = await bench.run(['echo', 'one']);
    await bench.wait(id);
    await bench.run(['sh', '-c', 'echo two; exit 2'], {}, id, 2);
    assert.equal((await bench.wait(id, 2)).code, 2);
    assert.equal(await bench.logs(id), 'one\ntwo\n');
  });

  test('a wait for a generation to come ends with that one', async () => {
    await using bench = await openBench();
    await bench.init();
    const id = await bench.run(['true']);
    const waiting = bench.wait(id, 2);
    await bench.wait(id, 1);
    await bench.run(['sh', '-c', 'exit 9'], {}, id, 2);
    assert.equal((await waiting).code, 9);
  });

  test('a signal ends a container with 128 and its number', async () => {
    await using bench = await openBench();
    await bench.init();
    const id = await bench.run(['sleep', '1000']);
    assert.equal((await bench.clients.process.signalContainer({ id, signal: 9 })).outcome, Outcome.OUTCOME_DONE);
    assert.equal((await bench.wait(id)).code, 137);
    assert.equal((await bench.clients.process.signalContainer({ id, signal: 9 })).outcome, Outcome.OUTCOME_ABSENT);
  });

  test('a running container cannot be removed', async () => {
    await using bench = await openBench();
    await bench.init();
    const id = await bench.run(['sleep', '1000']);
    assert.equal(await reasonOf(bench.clients.process.removeContainer({ id })), 'RUNNING');
  });

  test('a paused container stands still, and dies of SIGKILL all the same', async () => {
    await using bench = await openBench();
    await bench.init();
    const id = await bench.run(['sh', '-c', 'i=0; while :; do i=$((i+1)); echo $i; sleep 0.01; done']);
    await until(async () => (await bench.logs(id)) !== '');
    assert.equal((await bench.clients.process.pauseContainer({ id })).outcome, Outcome.OUTCOME_DONE);
    assert.equal((await bench.clients.process.pauseContainer({ id })).outcome, Outcome.OUTCOME_ALREADY);
    const { pid, state } = await processOf(bench, id);
    assert.equal(state, ProcessState.PROCESS_STATE_PAUSED);
    const frozen = readFileSync(`/proc/${pid}/stat`, 'utf8');
    await bench.clients.process.resumeContainer({ id });
    await until(async () => readFileSync(`/proc/${pid}/stat`, 'utf8') !== frozen);
    await bench.clients.process.pauseContainer({ id });
    await bench.clients.process.signalContainer({ id, signal: 9 });
    assert.equal((await bench.wait(id)).code, 137);
  });

  test('commands that are missing or may not be run are told apart, in the words that clients look for', async () => {
    await using bench = await openBench();
    await bench.init();
    const failure = async (command: string, runtime: string) => {
      const error = await bench.run([command], { runtime }).catch((thrown: unknown) => thrown);
      return isServiceError(error) ? `${error.reason} ${error.message}` : String(error);
    };
    for (const runtime of ['crun', 'runc']) {
      assert.match(
        await failure('nosuch', runtime),
        /^COMMAND_NOT_FOUND .*exec: "nosuch": executable file not found in \$PATH: unknown$/,
      );
      assert.match(
        await failure('/nosuch', runtime),
        /^COMMAND_NOT_FOUND .*exec: "\/nosuch": stat \/nosuch: no such file or directory: unknown$/,
      );
      assert.match(
        await failure('/etc/notexec', runtime),
        /^COMMAND_NOT_EXECUTABLE .*exec: "\/etc\/notexec": permission denied: unknown$/,
      );
      assert.match(
        await failure('/etc', runtime),
        /^COMMAND_NOT_EXECUTABLE .*exec: "\/etc": .*permission denied: unknown$/,
      );
    }
    assert.deepEqual(readdirSync(`${bench.directory}/run/bundles`), []);
    assert.deepEqual(cgroupsBelow(bench.engineId), ['conmon']);
  });

  test('a service that has not been initialised says so', async () => {
    await using bench = await openBench();
    assert.equal(await reasonOf(bench.run(['true'])), 'NOT_INITIALISED');
    const probe = await bench.clients.host.probe({});
    assert.ok(probe.memoryLimit && probe.seccomp && probe.cpus > 0 && probe.hostname !== '');
  });

  test('a watch tells starts, pauses, kills for want of memory and exits, in order and with cursors', async () => {
    await using bench = await openBench();
    await bench.init();
    const abort = new AbortController();
    const watch = bench.clients.process.watchContainers({}, { signal: abort.signal })[Symbol.asyncIterator]();
    assert.equal((await watch.next()).value?.cursor, 0);
    const hog = 'x=$(head -c 200000000 /dev/zero | tr "\\0" x); echo "$x" | wc -c';
    const id = await bench.run(['sh', '-c', hog], { resources: { memory: 20_000_000 } });
    const exit = await bench.wait(id);
    assert.equal(exit.oomKilled, true);
    const seen = [await watch.next(), await watch.next(), await watch.next()].map(({ value }) => value);
    assert.deepEqual(
      seen.map((message) => message?.event),
      [ProcessEvent.PROCESS_EVENT_STARTED, ProcessEvent.PROCESS_EVENT_OOM, ProcessEvent.PROCESS_EVENT_EXITED],
    );
    abort.abort();
    const after = seen[0]?.cursor ?? 0;
    const again = bench.clients.process.watchContainers({ after })[Symbol.asyncIterator]();
    await again.next();
    assert.equal((await again.next()).value?.cursor, after + 1);
    await again.return?.();
  });

  test('a kill for want of memory is told at once, though the container lives on', async () => {
    await using bench = await openBench();
    await bench.init();
    const watch = bench.clients.process.watchContainers({})[Symbol.asyncIterator]();
    await watch.next();
    // The one to be killed is the hog, never the container's init.
    const hog = 'echo 1000 > /proc/self/oom_score_adj; x=$(head -c 200000000 /dev/zero | tr "\\0" x)';
    const script = `sh -c '${hog}'; while [ ! -e /tmp/go-on ]; do sleep 0.01; done; sh -c '${hog}'; sleep 1000`;
    const id = await bench.run(['sh', '-c', script], { resources: { memory: 20_000_000 } });
    const kinds = [await watch.next(), await watch.next()].map(({ value }) => value?.event);
    // Two that come close together may be told as one.
    writeFileSync(`${bench.root}/tmp/go-on`, '');
    kinds.push((await watch.next()).value?.event);
    assert.deepEqual(kinds, [
      ProcessEvent.PROCESS_EVENT_STARTED,
      ProcessEvent.PROCESS_EVENT_OOM,
      ProcessEvent.PROCESS_EVENT_OOM,
    ]);
    assert.equal((await processOf(bench, id)).state, ProcessState.PROCESS_STATE_RUNNING);
    await watch.return?.();
  });

  test('who waits for a start that cannot be is told', async () => {
    await using bench = await openBench();
    await bench.init();
    const id = newId();
    const { promise: ready, resolve } = Promise.withResolvers<void>();
    const attached = reasonOf(bench.attach(id, { ready: resolve }));
    await ready;
    assert.equal(await reasonOf(bench.run(['true'], { user: 'ghost' }, id)), 'UNKNOWN_USER');
    assert.equal(await attached, 'UNKNOWN_USER');
  });

  test('started again at once, a container can be attached each time', async () => {
    await using bench = await openBench();
    await bench.init();
    const id = newId();
    for (let generation = 1; generation <= 10; generation++) {
      const attached = bench.attach(id);
      await bench.run(['echo', `${generation}`], {}, id, generation);
      assert.equal(`${(await attached).stdout}`, `${generation}\n`);
      await bench.wait(id, generation);
    }
  });

  test('a kill that meets a pause wins', async () => {
    await using bench = await openBench();
    await bench.init();
    for (let round = 0; round < 6; round++) {
      const id = await bench.run(['sleep', '1000']);
      const pausing = bench.clients.process.pauseContainer({ id }).catch(() => {});
      await bench.clients.process.signalContainer({ id, signal: 9 });
      await pausing;
      assert.equal((await bench.wait(id)).code, 137);
    }
  });

  test('each Init says how many containers live', async () => {
    await using bench = await openBench();
    assert.equal((await bench.init()).adopted, 0);
    await bench.run(['sleep', '1000']);
    assert.equal((await bench.init()).adopted, 1);
    await bench.restart();
    assert.equal((await bench.init(2)).adopted, 1);
  });

  test('a signal to an exec that nobody knows finds nothing', async () => {
    await using bench = await openBench();
    await bench.init();
    const { outcome } = await bench.clients.exec.signalExec({ id: newId(), signal: 15 });
    assert.equal(outcome, Outcome.OUTCOME_ABSENT);
  });

  test('logs are looked for by ids alone, never along a path', async () => {
    await using bench = await openBench();
    await bench.init();
    const failure = await bench.logs('../../../etc').catch((error: unknown) => error);
    assert.ok(isServiceError(failure, 'INVALID_ID'), String(failure));
  });
});
