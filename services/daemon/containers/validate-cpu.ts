import type { ContainerResources } from '../../../proto/gen/longshore/daemon/v1/config.ts';
import type { ProbeResponse } from '../../../proto/gen/longshore/execdriver/v1/host.ts';
import { errors } from '../errors.ts';

const refuse = (field: string, problem: string) => errors.badConfig({ field: `resources.${field}`, problem });

/** Limits of CPU time and of CPUs. What this kernel lacks is taken out, and said. BAD_CONFIG, in Docker's words. */
export function checkCpu(resources: ContainerResources, kernel: ProbeResponse): string[] {
  const { nanoCpus, cpuPeriod, cpuQuota, cpuShares } = resources;
  if (nanoCpus > 0 && cpuPeriod > 0) {
    throw refuse('nano_cpus', 'Conflicting options: Nano CPUs and CPU Period cannot both be set');
  }
  if (nanoCpus > 0 && cpuQuota > 0) {
    throw refuse('nano_cpus', 'Conflicting options: Nano CPUs and CPU Quota cannot both be set');
  }
  if (nanoCpus > 0 && !kernel.cpuQuota) {
    const lack = 'your kernel does not support CPU CFS scheduler or the cgroup is not mounted';
    throw refuse('nano_cpus', `NanoCPUs can not be set, as ${lack}`);
  }
  if (nanoCpus < 0 || (kernel.cpus > 0 && nanoCpus > kernel.cpus * 1e9)) {
    const problem = `range of CPUs is from 0.01 to ${kernel.cpus}.00, as there are only ${kernel.cpus} CPUs available`;
    throw refuse('nano_cpus', problem);
  }
  if (cpuPeriod !== 0 && (cpuPeriod < 1000 || cpuPeriod > 1_000_000)) {
    throw refuse('cpu_period', 'CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)');
  }
  if (cpuQuota > 0 && cpuQuota < 1000) throw refuse('cpu_quota', 'CPU cfs quota can not be less than 1ms (i.e. 1000)');
  if (cpuShares < 0) {
    throw refuse('cpu_shares', `invalid CPU shares (${cpuShares}): value must be a positive integer`);
  }
  const warnings: string[] = [];
  if (cpuShares > 0 && !kernel.cpuShares) {
    warnings.push('Your kernel does not support CPU shares or the cgroup is not mounted. Shares discarded.');
    resources.cpuShares = 0;
  } else if (cpuShares > 0) resources.cpuShares = Math.min(Math.max(cpuShares, 2), 262_144);
  if ((cpuPeriod !== 0 || cpuQuota !== 0) && !kernel.cpuQuota) {
    warnings.push('Your kernel does not support CPU CFS scheduler. CPU period/quota discarded.');
    resources.cpuPeriod = 0;
    resources.cpuQuota = 0;
  }
  checkRealtime(resources, kernel);
  return [...warnings, ...checkSets(resources, kernel)];
}

function checkRealtime({ cpuRealtimePeriod, cpuRealtimeRuntime }: ContainerResources, kernel: ProbeResponse): void {
  if (cpuRealtimePeriod === 0 && cpuRealtimeRuntime === 0) return;
  if (!kernel.cpuRealtime) throw refuse('cpu_realtime_runtime', 'kernel does not support CPU real-time scheduler');
  if (cpuRealtimePeriod !== 0 && cpuRealtimeRuntime > cpuRealtimePeriod) {
    throw refuse('cpu_realtime_runtime', 'cpu real-time runtime cannot be higher than cpu real-time period');
  }
}

function checkSets(resources: ContainerResources, kernel: ProbeResponse): string[] {
  const { cpusetCpus, cpusetMems } = resources;
  const cpus = setOf(cpusetCpus) ?? invalidSet('cpus', cpusetCpus);
  const mems = setOf(cpusetMems) ?? invalidSet('mems', cpusetMems);
  if (cpus.length === 0 && mems.length === 0) return [];
  if (!kernel.cpuset) {
    resources.cpusetCpus = '';
    resources.cpusetMems = '';
    return ['Your kernel does not support cpuset or the cgroup is not mounted. Cpuset discarded.'];
  }
  const { cpusAvailable, memsAvailable } = kernel;
  if (!isWithin(cpus, cpusAvailable)) {
    const problem = `Requested CPUs are not available - requested ${cpusetCpus}, available: ${cpusAvailable}`;
    throw refuse('cpuset_cpus', problem);
  }
  if (!isWithin(mems, memsAvailable)) {
    const problem = `Requested memory nodes are not available - requested ${cpusetMems}, available: ${memsAvailable}`;
    throw refuse('cpuset_mems', problem);
  }
  return [];
}

function invalidSet(kind: 'cpus' | 'mems', text: string): never {
  throw refuse(`cpuset_${kind}`, `Invalid value ${text} for cpuset ${kind}: invalid format: ${text}`);
}

type Range = readonly [first: number, last: number];

/** The kernel's lists: `0-3,8`. Undefined for what is none. */
function setOf(text: string): Range[] | undefined {
  if (text === '') return [];
  const ranges = text.split(',').map((range): Range => {
    const [, first, last = first] = /^(\d{1,7})(?:-(\d{1,7}))?$/.exec(range.trim()) ?? [];
    return [Number(first), Number(last)];
  });
  return ranges.every(([first, last]) => first <= last) ? ranges : undefined;
}

/** `available` empty: not known. */
function isWithin(asked: readonly Range[], available: string): boolean {
  const there = setOf(available) ?? [];
  if (there.length === 0) return true;
  const has = (number: number) => there.some(([first, last]) => first <= number && number <= last);
  return asked.every(([first, last]) => {
    for (let number = first; number <= last; number++) if (!has(number)) return false;
    return true;
  });
}
