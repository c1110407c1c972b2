import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { suite, test } from 'node:test';
import { Resources } from '../../../proto/gen/longshore/execdriver/v1/spec.ts';
import { probeHost } from '../host/probe.ts';
import { resourcesFor } from '../spec/resources.ts';
import { sampleUsage } from '../usage/sample.ts';
import { updateResources } from '../usage/update.ts';
import { isFrozen, oomKills } from './container-cgroup.ts';
import { type Hierarchies, hierarchiesOf } from './hierarchies.ts';

const cgroup = '/longshore-0123456789ab/c';

/** What a kernel 6.1 with unified cgroups showed of a container with 64 MiB that had one process killed for want of memory. */
const recorded: Record<string, string> = {
  'cgroup.controllers': 'cpuset cpu io memory hugetlb pids rdma misc\n',
  'cpuset.cpus.effective': '0-3\n',
  'cpuset.mems.effective': '0\n',
  [`${cgroup}/cgroup.events`]: 'populated 1\nfrozen 1\n',
  [`${cgroup}/cpu.stat`]:
    'usage_usec 2500000\nuser_usec 2000000\nsystem_usec 500000\nnr_periods 40\nnr_throttled 7\nthrottled_usec 12345\n',
  [`${cgroup}/memory.current`]: '5242880\n',
  [`${cgroup}/memory.peak`]: '67108864\n',
  [`${cgroup}/memory.max`]: '67108864\n',
  [`${cgroup}/memory.events`]: 'low 0\nhigh 0\nmax 31\noom 1\noom_kill 1\noom_group_kill 0\n',
  [`${cgroup}/memory.stat`]: 'anon 4194304\nfile 1048576\ninactive_file 524288\n',
  [`${cgroup}/memory.swap.max`]: 'max\n',
  [`${cgroup}/memory.low`]: '0\n',
  [`${cgroup}/cpu.max`]: 'max 100000\n',
  [`${cgroup}/cpu.weight`]: '100\n',
  [`${cgroup}/cpuset.cpus`]: '\n',
  [`${cgroup}/io.bfq.weight`]: 'default 100\n',
  [`${cgroup}/pids.current`]: '3\n',
  [`${cgroup}/pids.max`]: 'max\n',
  [`${cgroup}/io.stat`]:
    '254:0 rbytes=4096 wbytes=8192 rios=1 wios=2 dbytes=0 dios=0\n7:0 rbytes=1 wbytes=0 rios=1 wios=0 dbytes=0 dios=0\n',
};

/** A unified tree of files, for one test. */
function unifiedTree(context: { after(work: () => void): void }): { root: string; hierarchies: Hierarchies } {
  const root = mkdtempSync(join(tmpdir(), 'longshore-cgroup2-'));
  context.after(() => rmSync(root, { recursive: true }));
  for (const [path, text] of Object.entries(recorded)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  const controllers = recorded['cgroup.controllers']?.trim().split(' ') ?? [];
  return { root, hierarchies: hierarchiesOf([{ root, version: 2, controllers }]) };
}

suite('unified cgroups, from what a kernel has shown', () => {
  test('the host can do what version 2 can, and does not claim the rest', (context) => {
    const { hierarchies } = unifiedTree(context);
    const host = probeHost(hierarchies, ['CAP_CHOWN'], true);
    assert.equal(host.cgroupLayout, 'v2');
    const { memoryLimit, memoryReservation, cpuShares, cpuQuota, cpuset, pidsLimit, blkio, freezer } = host;
    assert.deepEqual(
      { memoryLimit, memoryReservation, cpuShares, cpuQuota, cpuset, pidsLimit, blkio, freezer },
      {
        memoryLimit: true,
        memoryReservation: true,
        cpuShares: true,
        cpuQuota: true,
        cpuset: true,
        pidsLimit: true,
        blkio: true,
        freezer: true,
      },
    );
    assert.deepEqual([host.blkioWeight, host.blkioWeightDevice, host.blkioThrottle], [true, true, true]);
    assert.deepEqual([host.memorySwappiness, host.oomKillDisable, host.cpuRealtime], [false, false, false]);
    assert.deepEqual([host.cpusAvailable, host.memsAvailable], ['0-3', '0']);
    const withoutBfq = probeHost(hierarchies, [], false);
    assert.deepEqual([withoutBfq.blkioWeight, withoutBfq.blkioWeightDevice], [true, false]);
  });

  test('a sample is read from version 2’s files', (context) => {
    const { hierarchies } = unifiedTree(context);
    const usage = sampleUsage(hierarchies, cgroup, process.pid);
    assert.deepEqual(
      [usage.cpuTotalNs, usage.cpuUserNs, usage.cpuSystemNs, usage.cpuEachNs],
      [2_500_000_000n, 2_000_000_000n, 500_000_000n, []],
    );
    assert.deepEqual([usage.throttlingPeriods, usage.throttledPeriods, usage.throttledNs], [40, 7, 12_345_000n]);
    assert.deepEqual(
      [usage.memory, usage.memoryPeak, usage.memoryLimit, usage.memoryFailures],
      [5_242_880, 64 << 20, 64 << 20, 31],
    );
    assert.equal(usage.memoryDetails.inactive_file, 524_288n);
    assert.deepEqual([usage.pids, usage.pidsLimit], [3, 0]);
    assert.deepEqual(usage.blockDevices, [
      { major: 254, minor: 0, readBytes: 4096, writeBytes: 8192, reads: 1, writes: 2 },
      { major: 7, minor: 0, readBytes: 1, writeBytes: 0, reads: 1, writes: 0 },
    ]);
  });

  test('a kill for want of memory is counted, a frozen cgroup seen', (context) => {
    const { root, hierarchies } = unifiedTree(context);
    assert.equal(oomKills(hierarchies, cgroup), 1);
    assert.equal(isFrozen(hierarchies, cgroup), true);
    writeFileSync(join(root, cgroup, 'cgroup.events'), 'populated 1\nfrozen 0\n');
    assert.equal(isFrozen(hierarchies, cgroup), false);
  });

  const host = { countsSwap: true, weighsBlockDevices: true };

  test('the runtime is given what it makes version 2’s files from', () => {
    const resources = Resources.fromPartial({
      memory: 64 << 20,
      memorySwap: 96 << 20,
      memoryReservation: 32 << 20,
      nanoCpus: 250_000_000,
      cpuShares: 512,
      cpusetCpus: '0-1',
      pidsLimit: 33,
      blkioWeight: 300,
      blkioReadBps: [{ path: '/dev/null', rate: 1 << 20 }],
    });
    assert.deepEqual(resourcesFor(resources, host), {
      memory: { limit: 64 << 20, swap: 96 << 20, reservation: 32 << 20 },
      cpu: { shares: 512, quota: 25_000, period: 100_000, cpus: '0-1' },
      pids: { limit: 33 },
      blockIO: { weight: 300, throttleReadBpsDevice: [{ major: 1, minor: 3, rate: 1 << 20 }] },
    });
  });

  test('limits are changed in version 2’s files and units', (context) => {
    const { root, hierarchies } = unifiedTree(context);
    const wanted = {
      memory: 128 << 20,
      memorySwap: 192 << 20,
      memoryReservation: 64 << 20,
      nanoCpus: 500_000_000,
      cpuShares: 262_144,
      cpusetCpus: '0',
      pidsLimit: -1,
      blkioWeight: 500,
    };
    updateResources(hierarchies, cgroup, Resources.fromPartial(wanted), host);
    const now = (file: string) => readFileSync(join(root, cgroup, file), 'utf8');
    assert.deepEqual(
      [
        'memory.max',
        'memory.swap.max',
        'memory.low',
        'cpu.max',
        'cpu.weight',
        'cpuset.cpus',
        'pids.max',
        'io.bfq.weight',
      ].map(now),
      [`${128 << 20}`, `${64 << 20}`, `${64 << 20}`, '50000 100000', '10000', '0', 'max', '500'],
    );
  });

  test('without the BFQ scheduler the weight of block devices is changed in the other file, in its unit', (context) => {
    const { root, hierarchies } = unifiedTree(context);
    rmSync(join(root, cgroup, 'io.bfq.weight'));
    const file = join(root, cgroup, 'io.weight');
    writeFileSync(file, 'default 2930\n');
    for (const [weight, written] of [
      [10, '1'],
      [300, '2930'],
      [1000, '10000'],
    ] as const) {
      updateResources(hierarchies, cgroup, Resources.fromPartial({ blkioWeight: weight }), host);
      assert.equal(readFileSync(file, 'utf8'), written);
    }
  });
});
