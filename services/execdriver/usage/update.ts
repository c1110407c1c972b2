import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { messageOf } from '../../../kit/errors.ts';
import type { Resources } from '../../../proto/gen/longshore/execdriver/v1/spec.ts';
import type { Hierarchies } from '../cgroups/hierarchies.ts';
import { reserveRealtime } from '../cgroups/realtime.ts';
import { errors } from '../errors.ts';
import { resourcesFor } from '../spec/resources.ts';

interface Setting {
  controller: string;
  file: string;
  value: string;
}

/** Changes limits of a living cgroup. What is not asked for stays. Throws BAD_SPEC, or RUNTIME_FAILED with the kernel's words. */
export function updateResources(
  hierarchies: Hierarchies,
  cgroup: string,
  wanted: Resources,
  host: { countsSwap: boolean; weighsBlockDevices: boolean },
): void {
  reserveRealtime(hierarchies, dirname(cgroup), {
    runtime: wanted.cpuRealtimeRuntime,
    period: wanted.cpuRealtimePeriod,
  });
  const limits = resourcesFor(wanted, host);
  for (const { controller, file, value } of settingsFor(limits, hierarchies, cgroup)) {
    const directory = hierarchies.directoryOf(controller, cgroup);
    const path = `${directory}/${file}`;
    if (directory === undefined || !existsSync(path)) {
      throw errors.runtimeFailed({ detail: `this host cannot limit a container by ${file}` });
    }
    try {
      if (file === 'memory.limit_in_bytes') setMemory(directory, value, limits.memory?.swap);
      else writeFileSync(path, value);
    } catch (cause) {
      throw errors.runtimeFailed({ detail: `cannot set ${file} to ${value}: ${messageOf(cause)}` }, { cause });
    }
  }
}

type Limits = ReturnType<typeof resourcesFor>;

function settingsFor(limits: Limits, hierarchies: Hierarchies, cgroup: string): Setting[] {
  if (hierarchies.layout !== 'v2') return settingsOfVersion1(limits);
  const byBfq = existsSync(`${hierarchies.directoryOf('io', cgroup)}/${bfqWeight}`);
  return settingsOfVersion2(limits, byBfq);
}

/** There while the BFQ scheduler is loaded, and then the one that counts. */
const bfqWeight = 'io.bfq.weight';

function settingsOfVersion1({ memory, cpu, pids, blockIO }: Limits): Setting[] {
  return settings([
    ['memory', 'memory.limit_in_bytes', memory?.limit],
    ['memory', 'memory.soft_limit_in_bytes', memory?.reservation],
    ['memory', 'memory.swappiness', memory?.swappiness],
    ['cpu', 'cpu.shares', cpu?.shares],
    ['cpu', 'cpu.cfs_period_us', cpu?.period],
    ['cpu', 'cpu.cfs_quota_us', cpu?.quota],
    ['cpu', 'cpu.rt_period_us', cpu?.realtimePeriod],
    ['cpu', 'cpu.rt_runtime_us', cpu?.realtimeRuntime],
    ['cpuset', 'cpuset.cpus', cpu?.cpus],
    ['cpuset', 'cpuset.mems', cpu?.mems],
    ['pids', 'pids.max', pids && countOrMax(pids.limit)],
    ['blkio', 'blkio.bfq.weight', blockIO?.weight],
  ]);
}

function settingsOfVersion2({ memory, cpu, pids, blockIO }: Limits, byBfq: boolean): Setting[] {
  const swap = memory?.swap !== undefined && memory.limit !== undefined ? memory.swap - memory.limit : undefined;
  // Version 1's shares from 2 to 262144 are weights from 1 to 10000 here, as the runtimes convert them.
  const weight = cpu?.shares === undefined ? undefined : 1 + Math.floor(((cpu.shares - 2) * 9999) / 262142);
  const quota = cpu?.quota === undefined ? undefined : `${countOrMax(cpu.quota)} ${cpu.period ?? 100_000}`;
  return settings([
    ['memory', 'memory.max', memory?.limit],
    ['memory', 'memory.low', memory?.reservation],
    ['memory', 'memory.swap.max', memory?.swap === -1 ? 'max' : swap],
    ['cpu', 'cpu.weight', weight],
    ['cpu', 'cpu.max', quota],
    ['cpuset', 'cpuset.cpus', cpu?.cpus],
    ['cpuset', 'cpuset.mems', cpu?.mems],
    ['pids', 'pids.max', pids && countOrMax(pids.limit)],
    ['io', byBfq ? bfqWeight : 'io.weight', byBfq ? blockIO?.weight : blockIO?.weight && ioWeight(blockIO.weight)],
  ]);
}

/** Weights from 10 to 1000 are such from 1 to 10000 here, as the runtimes convert them. */
function ioWeight(weight: number): number {
  return 1 + Math.floor(((weight - 10) * 9999) / 990);
}

function settings(rows: [controller: string, file: string, value: string | number | undefined][]): Setting[] {
  return rows.flatMap(([controller, file, value]) =>
    value === undefined ? [] : [{ controller, file, value: `${value}` }],
  );
}

function countOrMax(count: number): string {
  return count < 0 ? 'max' : `${count}`;
}

/** Memory alone may never exceed memory and swap together: which of the two goes first depends on where they go. */
function setMemory(directory: string, memory: string, swap: number | undefined): void {
  const memoryFile = `${directory}/memory.limit_in_bytes`;
  const swapFile = `${directory}/memory.memsw.limit_in_bytes`;
  if (swap === undefined || !existsSync(swapFile)) {
    writeFileSync(memoryFile, memory);
    return;
  }
  const growsBeyond = swap === -1 || Number(memory) > Number(readFileSync(swapFile, 'utf8'));
  const steps: [string, string][] = [
    [swapFile, `${swap}`],
    [memoryFile, memory],
  ];
  for (const [file, value] of growsBeyond ? steps : steps.reverse()) writeFileSync(file, value);
}
