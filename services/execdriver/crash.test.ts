import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { suite, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { isServiceError } from '../../kit/errors.ts';
import { ProcessEvent, ProcessState } from '../../proto/gen/longshore/execdriver/v1/process.ts';
import { type Bench, newId, openBench, skip, specOf } from './testing/harness.ts';
import { cgroupsBelow, until } from './testing/host.ts';

async function initOf(bench: Bench, id: string): Promise<number> {
  return (await bench.clients.process.getContainer({ id })).process?.pid ?? 0;
}

function parentOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
}

function numbers(text: string): number[] {
  return text.trim().split('\n').map(Number);
}

function mountOf(hierarchy: string): string {
  if (hierarchy === '' && existsSync('/sys/fs/cgroup/cgroup.controllers')) return '/sys/fs/cgroup';
  return `/sys/fs/cgroup/${hierarchy.replace('name=', '') || 'unified'}`;
}

suite('surviving', { skip }, () => {
  test('a container goes on while the service is killed: no line is lost, and the exit code is the true one', async () => {
    await using bench = await openBench({ serviceElsewhere: true });
    await bench.startElsewhere();
    await bench.init();
    const script = 'i=0; while [ ! -e /tmp/enough ]; do i=$((i+1)); echo $i; sleep 0.004; done; echo 0; exit 5';
    const id = await bench.run(['sh', '-c', script]);
    const pid = await initOf(bench, id);
    for (let round = 0; round < 3; round++) {
      await delay(100);
      await bench.killElsewhere();
      await bench.startElsewhere();
      assert.equal(await initOf(bench, id), pid);
    }
    writeFileSync(`${bench.root}/tmp/enough`, '');
    const rest = await bench.attach(id, { logs: true, generation: 1 });
    assert.equal(rest.code, 5);
    const seen = numbers(`${rest.stdout}`);
    assert.deepEqual(seen, [...Array.from({ length: seen.length - 1 }, (_, index) => index + 1), 0]);
    assert.ok(seen.length > 50);
    assert.equal((await bench.wait(id)).code, 5);
  });

  test('an exit while the service is down is told once, to whoever watches from before', async () => {
    await using bench = await openBench({ serviceElsewhere: true });
    await bench.startElsewhere();
    await bench.init();
    const watch = bench.clients.process.watchContainers({})[Symbol.asyncIterator]();
    const latest = (await watch.next()).value?.latest ?? 0;
    const id = await bench.run(['sh', '-c', 'sleep 0.3; exit 4']);
    await bench.killElsewhere();
    await watch.next().catch(() => {});
    await watch.next().catch(() => {});
    await delay(500);
    await bench.startElsewhere();
    const seen: number[] = [];
    for await (const { cursor, event, process } of bench.clients.process.watchContainers({ after: latest })) {
      if (cursor === 0) continue;
      seen.push(event);
      if (event === ProcessEvent.PROCESS_EVENT_EXITED) {
        assert.deepEqual([process?.id, process?.exit?.code], [id, 4]);
        break;
      }
    }
    assert.deepEqual(seen, [ProcessEvent.PROCESS_EVENT_STARTED, ProcessEvent.PROCESS_EVENT_EXITED]);
  });

  test('with its monitor killed a container lives on, and ends with an unknown code', async () => {
    await using bench = await openBench();
    await bench.init();
    const ids = [await bench.run(['sleep', '1000']), await bench.run(['sleep', '1000'])];
    const pids = await Promise.all(ids.map((id) => initOf(bench, id)));
    for (const pid of pids) process.kill(parentOf(pid), 'SIGKILL');
    const [first = '', second = ''] = ids;
    await bench.clients.process.signalContainer({ id: first, signal: 9 });
    const { code, unknown } = await bench.wait(first);
    assert.deepEqual([code, unknown], [255, true]);
    // The same when the service was not there to see the monitor go.
    await bench.restart();
    assert.equal(await initOf(bench, second), pids[1]);
    await bench.clients.process.signalContainer({ id: second, signal: 9 });
    assert.equal((await bench.wait(second)).unknown, true);
  });

  test('the monitor is outside of the service’s cgroups', async () => {
    await using bench = await openBench();
    await bench.init();
    const id = await bench.run(['sleep', '1000']);
    const monitor = parentOf(await initOf(bench, id));
    const parent = `/longshore-${bench.engineId.slice(0, 12)}/conmon`;
    await until(() => {
      const lines = readFileSync(`/proc/${monitor}/cgroup`, 'utf8').trim().split('\n');
      // A hierarchy that is mounted nowhere can't be changed by anybody.
      const paths = lines.map((line) => line.split(':')).filter(([, name = '']) => existsSync(mountOf(name)));
      return paths.length > 0 && paths.every(([, , path]) => path === parent);
    });
  });

  test('killed in the middle of starts, the service leaves each container running or not there at all', async () => {
    await using bench = await openBench({ serviceElsewhere: true });
    await bench.startElsewhere();
    await bench.init();
    for (let round = 0; round < 8; round++) {
      const ids = Array.from({ length: 4 }, newId);
      const starts = ids.map((id) =>
        bench.clients.process
          .startContainer({ id, generation: 1, spec: specOf(bench.root, ['sleep', '1000']) })
          .catch((error: unknown) => error),
      );
      await delay(3 + round * 5);
      await bench.killElsewhere();
      await Promise.all(starts);
      await bench.startElsewhere();
      const known = new Map<string, number>();
      for await (const { process } of bench.clients.process.listContainers({})) {
        assert.ok(process);
        assert.equal(process.state, ProcessState.PROCESS_STATE_RUNNING);
        assert.equal(readFileSync(`/proc/${process.pid}/cmdline`, 'utf8'), 'sleep\u00001000\u0000');
        known.set(process.id, process.pid);
      }
      assert.deepEqual(readdirSync(`${bench.directory}/run/bundles`).sort(), [...known.keys()].sort());
      assert.deepEqual(
        cgroupsBelow(bench.engineId)
          .filter((name) => name !== 'conmon')
          .sort(),
        [...known.keys()].sort(),
      );
      // Asked for again, each of them runs.
      for (const id of ids) {
        const spec = specOf(bench.root, ['sleep', '1000']);
        const { process } = await bench.clients.process.startContainer({ id, generation: 1, spec });
        if (known.has(id)) assert.equal(process?.pid, known.get(id));
      }
      for (const id of ids) {
        await bench.clients.process.signalContainer({ id, signal: 9 });
        assert.equal((await bench.wait(id)).code, 137);
        await bench.clients.process.removeContainer({ id });
      }
    }
  });

  test('a drained service is not initialised any more, also after a restart', async () => {
    await using bench = await openBench();
    await bench.init();
    await bench.clients.control.drain({});
    await bench.restart();
    const failure = await bench.run(['true']).catch((error: unknown) => error);
    assert.ok(isServiceError(failure, 'NOT_INITIALISED'));
  });
});
