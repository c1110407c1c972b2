import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { suite, test } from 'node:test';
import { isServiceError } from '../../kit/errors.ts';
import type { Usage } from '../../proto/gen/longshore/execdriver/v1/usage.ts';
import { type Bench, newId, openBench, skip } from './testing/harness.ts';
import { until } from './testing/host.ts';
import { interfacesOf } from './usage/sample.ts';

async function usageOf(bench: Bench, id: string): Promise<Usage> {
  for await (const { usage } of bench.clients.usage.watchUsage({ id, once: true })) if (usage) return usage;
  throw new Error('no sample');
}

suite('usage', { skip }, () => {
  test('a sample tells CPU, memory, processes and their limits', async () => {
    await using bench = await openBench();
    await bench.init();
    const script =
      'x=$(head -c 8000000 /dev/zero | tr "\\0" x); i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; echo ready; sleep 1000';
    const resources = { memory: 64 << 20, pidsLimit: 40 };
    const id = await bench.run(['sh', '-c', script], { resources });
    await until(async () => (await bench.logs(id)) !== '');
    const usage = await usageOf(bench, id);
    assert.ok(usage.cpuTotalNs > 10_000_000n && usage.hostCpuNs > usage.cpuTotalNs && usage.cpus > 0);
    assert.ok(usage.memory > 0 && usage.memoryPeak > 8_000_000);
    assert.deepEqual([usage.memoryLimit, usage.pidsLimit], [64 << 20, 40]);
    assert.ok(usage.pids >= 1 && Object.keys(usage.memoryDetails).length > 5);
  });

  test('samples come each second, until the container ends', async () => {
    await using bench = await openBench();
    await bench.init();
    const id = await bench.run(['sleep', '1.3']);
    let samples = 0;
    for await (const { usage } of bench.clients.usage.watchUsage({ id })) samples += usage ? 1 : 0;
    assert.equal(samples, 2);
  });

  test('processes are listed as the host sees them', async () => {
    await using bench = await openBench();
    await bench.init();
    const id = await bench.run(['sh', '-c', 'sleep 1000; true'], { user: 'app' });
    await until(async () => (await bench.clients.usage.listProcesses({ id })).processes.length === 2);
    const { processes } = await bench.clients.usage.listProcesses({ id });
    assert.deepEqual(
      processes.map(({ command, uid, terminal }) => [command, uid, terminal]),
      [
        ['sh -c sleep 1000; true', 1000, '?'],
        ['sleep 1000', 1000, '?'],
      ],
    );
    assert.equal(processes[1]?.parentPid, processes[0]?.pid);
  });

  test('limits are changed while the container runs', async () => {
    await using bench = await openBench();
    await bench.init();
    const id = await bench.run(['sleep', '1000'], { resources: { memory: 64 << 20, pidsLimit: 40 } });
    for (const memory of [128 << 20, 32 << 20]) {
      await bench.clients.usage.updateResources({ id, resources: { memory, pidsLimit: 77, cpuShares: 256 } });
      const { memoryLimit, pidsLimit } = await usageOf(bench, id);
      assert.deepEqual([memoryLimit, pidsLimit], [memory, 77]);
    }
    if (!readdirSync('/sys/fs/cgroup').includes('memory')) return;
    const { stdout } = await bench.exec(id, [
      'cat',
      '/sys/fs/cgroup/memory/memory.memsw.limit_in_bytes',
      '/sys/fs/cgroup/cpu/cpu.shares',
    ]);
    assert.equal(`${stdout}`, `${64 << 20}\n256\n`);
  });

  test('only running containers use anything', async () => {
    await using bench = await openBench();
    await bench.init();
    const failure = await usageOf(bench, newId()).catch((error: unknown) => error);
    assert.ok(isServiceError(failure, 'CONTAINER_NOT_FOUND'));
    const id = await bench.run(['true']);
    await bench.wait(id);
    const second = await bench.clients.usage.listProcesses({ id }).catch((error: unknown) => error);
    assert.ok(isServiceError(second, 'NOT_RUNNING'));
  });
});

test('interfaces are read from the kernel’s columns, without the loopback', () => {
  const text = `Inter-|   Receive                            |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:     1 1 0 0 0 0 0 0 1 1 0 0 0 0 0 0
  eth0: 10 2 3 4 0 0 0 0 50 6 7 8 0 0 0 0
`;
  assert.deepEqual(interfacesOf(text), [
    {
      name: 'eth0',
      receivedBytes: 10,
      receivedPackets: 2,
      receivedErrors: 3,
      receivedDropped: 4,
      sentBytes: 50,
      sentPackets: 6,
      sentErrors: 7,
      sentDropped: 8,
    },
  ]);
});
