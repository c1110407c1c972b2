import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  ContainerStatus,
  type PruneContainersRequest,
  type UpdateContainerRequest,
} from '../proto/gen/longshore/daemon/v1/container.ts';
import { Process, Usage } from '../proto/gen/longshore/execdriver/v1/usage.ts';
import { id } from './testing/daemon.ts';
import { errors, startEngine } from './testing/engine.ts';
import { ask, askJson } from './testing/http.ts';

const running = { containerId: id, name: 'web', status: ContainerStatus.CONTAINER_STATUS_RUNNING };

const sample = (second: number) =>
  Usage.fromPartial({
    timeNs: 1_700_000_000_000_000_000n + BigInt(second) * 1_000_000_000n,
    cpuTotalNs: BigInt(second) * 500_000_000n,
    hostCpuNs: 2n ** 60n,
    cpus: 2,
    memory: 1000,
    memoryLimit: 64_000,
    memoryDetails: { inactive_file: 10n },
    pids: 3,
    blockDevices: [{ major: 8, minor: 0, readBytes: 4096, writeBytes: 1, reads: 1, writes: 1 }],
    interfaces: [{ name: 'eth0', receivedBytes: 5, sentBytes: 6 }],
  });

async function* twoSamples() {
  yield { usage: sample(1) };
  yield { usage: sample(2) };
}

test('stats without a stream has the sample before it; one-shot has none', async (t) => {
  const { socket } = await startEngine(t, {
    containers: { openStream: async () => running },
    usage: { watchUsage: () => twoSamples() },
  });
  const { value } = await askJson(socket, 'GET /containers/web/stats?stream=0');
  assert.deepEqual([value.name, value.id], ['/web', id]);
  assert.deepEqual([value.preread, value.read], ['2023-11-14T22:13:21Z', '2023-11-14T22:13:22Z']);
  const [cpu, before] = [value.cpu_stats, value.precpu_stats];
  assert.deepEqual([before.cpu_usage.total_usage, cpu.cpu_usage.total_usage], [500_000_000, 1_000_000_000]);
  assert.deepEqual([cpu.online_cpus, cpu.system_cpu_usage], [2, 2 ** 60]);
  assert.deepEqual(value.memory_stats, {
    usage: 1000,
    max_usage: 0,
    stats: { inactive_file: 10 },
    failcnt: 0,
    limit: 64_000,
  });
  assert.deepEqual(value.blkio_stats.io_service_bytes_recursive, [
    { major: 8, minor: 0, op: 'read', value: 4096 },
    { major: 8, minor: 0, op: 'write', value: 1 },
  ]);
  assert.deepEqual([value.networks.eth0.rx_bytes, value.networks.eth0.tx_bytes], [5, 6]);
  const once = (await askJson(socket, 'GET /containers/web/stats?stream=false&one-shot=true')).value;
  assert.deepEqual([once.preread, once.precpu_stats.cpu_usage.total_usage], ['0001-01-01T00:00:00Z', 0]);
});

test('a stream of stats ends with the container; one that does not run has empty ones', async (t) => {
  let isGone = false;
  const { socket } = await startEngine(t, {
    containers: {
      async openStream({ container }) {
        if (!isGone) return running;
        throw errors.containerNotFound({ container });
      },
    },
    usage: {
      async *watchUsage() {
        yield* twoSamples();
        isGone = true;
      },
    },
  });
  const { text } = await ask(socket, 'GET /containers/web/stats');
  const reads = text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line).preread);
  assert.deepEqual(reads, ['0001-01-01T00:00:00Z', '2023-11-14T22:13:21Z']);
  assert.equal((await ask(socket, 'GET /containers/web/stats')).status, 404);

  const status = ContainerStatus.CONTAINER_STATUS_EXITED;
  const resting = await startEngine(t, { containers: { openStream: async () => ({ ...running, status }) } });
  const { value } = await askJson(resting.socket, 'GET /containers/web/stats?stream=0');
  assert.deepEqual([value.id, value.read, value.pids_stats], [id, '0001-01-01T00:00:00Z', {}]);
});

test('top has ps -ef’s columns, aux’s, or those that are asked for; others are for the host’s ps', async (t) => {
  const process = Process.fromPartial({
    pid: 42,
    parentPid: 7,
    uid: 0,
    user: 'root',
    terminal: '?',
    startedAtNs: BigInt(Date.now()) * 1_000_000n - 3_661_000_000_000n,
    cpuNs: 61_000_000_000n,
    cpuPercent: 1,
    command: '/bin/sh -c date',
    state: 'S',
    resident: 2048,
    virtual: 4096,
  });
  const { socket } = await startEngine(t, {
    containers: { openStream: async () => running },
    usage: {
      async listProcesses({ psOptions }) {
        return psOptions.length === 0
          ? { processes: [process] }
          : { titles: ['PID', 'OF'], rows: [{ cells: ['42', psOptions.join('|')] }] };
      },
    },
  });
  const top = async (query = '') => (await askJson(socket, `GET /containers/web/top${query}`)).value;
  const { Titles, Processes } = await top();
  assert.deepEqual(Titles, ['UID', 'PID', 'PPID', 'C', 'STIME', 'TTY', 'TIME', 'CMD']);
  assert.match(Processes[0].join(' '), /^root 42 7 1 \d\d:\d\d \? 00:01:01 \/bin\/sh -c date$/);
  const bsd = await top('?ps_args=aux');
  assert.deepEqual(bsd.Titles.slice(0, 6), ['USER', 'PID', '%CPU', '%MEM', 'VSZ', 'RSS']);
  assert.deepEqual(bsd.Processes[0].slice(0, 6), ['root', '42', '1.0', '0.0', '4', '2']);
  assert.deepEqual(await top('?ps_args=-eo%20pid,comm'), { Titles: ['PID', 'COMMAND'], Processes: [['42', 'sh']] });
  assert.deepEqual(await top('?ps_args=-ef%20%20--forest'), {
    Titles: ['PID', 'OF'],
    Processes: [['42', '-ef|--forest']],
  });
});

test('update hands on the limits and the policy that are set', async (t) => {
  let asked: UpdateContainerRequest | undefined;
  const { socket } = await startEngine(t, {
    containers: {
      async updateContainer(request) {
        asked = request;
        return { warnings: ['slow'] };
      },
    },
  });
  const body = { Memory: 64_000_000, RestartPolicy: { Name: 'on-failure', MaximumRetryCount: 3 }, Devices: null };
  const { status, value } = await askJson(socket, 'POST /containers/web/update', body);
  assert.deepEqual([status, value], [200, { Warnings: ['slow'] }]);
  assert.deepEqual(
    [asked?.container, asked?.resources?.memory, asked?.resources?.pidsLimit, asked?.restartPolicy],
    ['web', 64_000_000, undefined, { name: 'on-failure', maximumRetryCount: 3 }],
  );
});

test('prune understands labels, their absence, and a time or a time ago', async (t) => {
  const asked: PruneContainersRequest[] = [];
  const { socket } = await startEngine(t, {
    containers: {
      async pruneContainers(request) {
        asked.push(request);
        return { removed: [id], reclaimed: 12 };
      },
    },
  });
  const prune = (filters: object) =>
    askJson(socket, `POST /containers/prune?filters=${encodeURIComponent(JSON.stringify(filters))}`);
  assert.deepEqual((await prune({ label: ['a=b'], 'label!': ['keep'], until: ['1700000000'] })).value, {
    ContainersDeleted: [id],
    SpaceReclaimed: 12,
  });
  await prune({ until: { '1h30m': true } });
  assert.deepEqual(asked[0], { untilNs: 1_700_000_000_000_000_000n, labels: ['a=b'], withoutLabels: ['keep'] });
  const agoMinutes = (BigInt(Date.now()) - (asked[1]?.untilNs ?? 0n) / 1_000_000n) / 60_000n;
  assert.equal(agoMinutes, 90n);
  assert.equal((await prune({ until: ['never'] })).status, 400);
});
