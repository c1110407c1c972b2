import type { ContainerResources, HostConfig } from '../../../proto/gen/longshore/daemon/v1/config.ts';
import type { ProbeResponse } from '../../../proto/gen/longshore/execdriver/v1/host.ts';
import { errors } from '../errors.ts';

const leastMemory = 6 * 1024 * 1024;

const refuse = (field: string, problem: string) => errors.badConfig({ field: `resources.${field}`, problem });

/** Resources that this host can keep, and what of those asked for it cannot. BAD_CONFIG. */
export function checkResources(
  host: HostConfig,
  kernel: ProbeResponse,
): { resources: ContainerResources | undefined; warnings: string[] } {
  if (host.resources === undefined) return { resources: undefined, warnings: [] };
  const resources = { ...host.resources };
  const warnings = [...checkMemory(resources, kernel), ...checkCpu(resources, kernel)];
  if (resources.pidsLimit !== undefined && resources.pidsLimit > 0 && !kernel.pidsLimit) {
    warnings.push(
      'Your kernel does not support PIDs limit capabilities or the cgroup is not mounted. PIDs limit discarded.',
    );
    resources.pidsLimit = undefined;
  }
  if (resources.blkioWeight > 0 && (resources.blkioWeight < 10 || resources.blkioWeight > 1000)) {
    throw refuse('blkio_weight', 'Range of blkio weight is from 10 to 1000');
  }
  return { resources, warnings };
}

function checkMemory(resources: ContainerResources, kernel: ProbeResponse): string[] {
  const warnings: string[] = [];
  const { memory, memorySwap, memoryReservation, memorySwappiness } = resources;
  if (memory !== 0 && memory < leastMemory) throw refuse('memory', 'Minimum memory limit allowed is 6MB');
  if (memory > 0 && memorySwap > 0 && memorySwap < memory) {
    throw refuse('memory_swap', 'Minimum memoryswap limit should be larger than memory limit, see usage');
  }
  if (memory === 0 && memorySwap > 0) {
    throw refuse('memory_swap', 'You should always set the Memory limit when using Memoryswap limit, see usage');
  }
  if (memorySwappiness !== undefined && memorySwappiness !== -1 && (memorySwappiness < 0 || memorySwappiness > 100)) {
    throw refuse('memory_swappiness', `Invalid value: ${memorySwappiness}, valid memory swappiness range is 0-100`);
  }
  if (memoryReservation > 0 && memoryReservation < leastMemory) {
    throw refuse('memory_reservation', 'Minimum memory reservation allowed is 6MB');
  }
  if (memory > 0 && memoryReservation > 0 && memory < memoryReservation) {
    const problem = 'Minimum memory limit can not be less than memory reservation limit, see usage';
    throw refuse('memory_reservation', problem);
  }
  if (memory > 0 && !kernel.memoryLimit) {
    warnings.push(
      'Your kernel does not support memory limit capabilities or the cgroup is not mounted. Limitation discarded.',
    );
    resources.memory = 0;
    resources.memorySwap = -1;
  } else if (memory > 0 && memorySwap !== -1 && !kernel.swapLimit) {
    warnings.push(
      'Your kernel does not support swap limit capabilities or the cgroup is not mounted. Memory limited without swap.',
    );
    resources.memorySwap = -1;
  } else if (memory > 0 && memorySwap === 0) {
    resources.memorySwap = memory * 2;
  }
  // -1 is Docker's word for the kernel's own.
  if (memorySwappiness === -1) resources.memorySwappiness = undefined;
  return warnings;
}

function checkCpu(resources: ContainerResources, kernel: ProbeResponse): string[] {
  const { nanoCpus, cpuPeriod, cpuQuota, cpuShares, cpusetCpus, cpusetMems } = resources;
  if (nanoCpus > 0 && cpuPeriod !== 0) {
    throw refuse('nano_cpus', 'Conflicting options: Nano CPUs and CPU Period cannot both be set.');
  }
  if (nanoCpus > 0 && cpuQuota !== 0) {
    throw refuse('nano_cpus', 'Conflicting options: Nano CPUs and CPU Quota cannot both be set.');
  }
  if (nanoCpus < 0 || (kernel.cpus > 0 && nanoCpus > kernel.cpus * 1e9)) {
    const problem = `Range of CPUs is from 0.01 to ${kernel.cpus}.00, as there are only ${kernel.cpus} CPUs available`;
    throw refuse('nano_cpus', problem);
  }
  if (cpuPeriod !== 0 && (cpuPeriod < 1000 || cpuPeriod > 1_000_000)) {
    throw refuse('cpu_period', 'CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)');
  }
  if (cpuQuota > 0 && cpuQuota < 1000) throw refuse('cpu_quota', 'CPU cfs quota can not be less than 1ms (i.e. 1000)');
  if (cpuShares < 0) throw refuse('cpu_shares', 'shares: invalid argument');
  if (cpuShares > 0) resources.cpuShares = Math.min(Math.max(cpuShares, 2), 262_144);
  if (!isCpuList(cpusetCpus)) throw refuse('cpuset_cpus', `Invalid value ${cpusetCpus} for cpuset cpus`);
  if (!isCpuList(cpusetMems)) throw refuse('cpuset_mems', `Invalid value ${cpusetMems} for cpuset mems`);
  const isLimited = cpuQuota > 0 || nanoCpus > 0;
  if (!isLimited || kernel.cpuQuota) return [];
  resources.cpuQuota = 0;
  resources.nanoCpus = 0;
  return ['Your kernel does not support CPU CFS scheduler or the cgroup is not mounted. CPU limit discarded.'];
}

function isCpuList(text: string): boolean {
  return /^(\d+(-\d+)?(,\d+(-\d+)?)*)?$/.test(text);
}
