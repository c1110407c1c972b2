import type { ContainerResources, HostConfig } from '../../../proto/gen/longshore/daemon/v1/config.ts';
import type { ProbeResponse } from '../../../proto/gen/longshore/execdriver/v1/host.ts';
import { errors } from '../errors.ts';
import { checkBlockIo } from './validate-block-io.ts';
import { checkCpu } from './validate-cpu.ts';

const leastMemory = 6 * 1024 * 1024;

const refuse = (field: string, problem: string) => errors.badConfig({ field: `resources.${field}`, problem });

/**
 * Resources that this host can keep, and what of those asked for it cannot. `isUpdate`: they are what holds from now on, and
 * not all were asked for together. BAD_CONFIG.
 */
export function checkResources(
  host: HostConfig,
  kernel: ProbeResponse,
  isUpdate = false,
): { resources: ContainerResources | undefined; warnings: string[] } {
  if (host.resources === undefined) return { resources: undefined, warnings: [] };
  const resources = { ...host.resources };
  const warnings = [
    ...checkMemory(resources, kernel, isUpdate),
    ...checkOomKilling(resources, kernel),
    ...checkCpu(resources, kernel),
    ...checkBlockIo(resources, kernel),
  ];
  if (resources.pidsLimit !== undefined && resources.pidsLimit > 0 && !kernel.pidsLimit) {
    warnings.push(
      'Your kernel does not support PIDs limit capabilities or the cgroup is not mounted. PIDs limit discarded.',
    );
    resources.pidsLimit = undefined;
  }
  checkUlimits(resources);
  return { resources, warnings };
}

function checkMemory(resources: ContainerResources, kernel: ProbeResponse, isUpdate: boolean): string[] {
  const warnings: string[] = [];
  const { memory, memorySwap, memoryReservation, memorySwappiness } = resources;
  if (memory !== 0 && memory < leastMemory) throw refuse('memory', 'Minimum memory limit allowed is 6MB');
  if (memory > 0 && memorySwap > 0 && memorySwap < memory) {
    throw refuse('memory_swap', 'Minimum memoryswap limit should be larger than memory limit, see usage');
  }
  if (memory === 0 && memorySwap > 0 && !isUpdate) {
    throw refuse('memory_swap', 'You should always set the Memory limit when using Memoryswap limit, see usage');
  }
  // -1 is Docker's word for the kernel's own.
  if (memorySwappiness === -1) resources.memorySwappiness = undefined;
  else if (memorySwappiness !== undefined && !kernel.memorySwappiness) {
    warnings.push(discarded('memory swappiness capabilities', 'Memory swappiness'));
    resources.memorySwappiness = undefined;
  } else if (memorySwappiness !== undefined && (memorySwappiness < 0 || memorySwappiness > 100)) {
    throw refuse('memory_swappiness', `Invalid value: ${memorySwappiness}, valid memory swappiness range is 0-100`);
  }
  if (memoryReservation > 0 && !kernel.memoryReservation) {
    warnings.push(discarded('memory soft limit capabilities', 'Limitation'));
    resources.memoryReservation = 0;
  } else if (memoryReservation > 0 && memoryReservation < leastMemory) {
    throw refuse('memory_reservation', 'Minimum memory reservation allowed is 6MB');
  } else if (memory > 0 && memoryReservation > 0 && memory < memoryReservation) {
    const problem = 'Minimum memory limit can not be less than memory reservation limit, see usage';
    throw refuse('memory_reservation', problem);
  }
  if (memory > 0 && !kernel.memoryLimit) {
    warnings.push(discarded('memory limit capabilities', 'Limitation'));
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
  return warnings;
}

/** Docker's sentence for what the kernel lacks. */
function discarded(what: string, gone: string): string {
  return `Your kernel does not support ${what} or the cgroup is not mounted. ${gone} discarded.`;
}

function checkOomKilling(resources: ContainerResources, kernel: ProbeResponse): string[] {
  if (!resources.oomKillDisable) return [];
  if (!kernel.oomKillDisable) {
    resources.oomKillDisable = false;
    return ['Your kernel does not support OomKillDisable. OomKillDisable discarded.'];
  }
  const danger = 'this can result in the system running out of resources.';
  return resources.memory === 0
    ? [`OOM killer is disabled for the container, but no memory limit is set, ${danger}`]
    : [];
}

const ulimitNames = [
  'as',
  'core',
  'cpu',
  'data',
  'fsize',
  'locks',
  'memlock',
  'msgqueue',
  'nice',
  'nofile',
  'nproc',
  'rss',
  'rtprio',
  'rttime',
  'sigpending',
  'stack',
];

function checkUlimits({ ulimits }: ContainerResources): void {
  for (const { name, soft, hard } of ulimits) {
    if (!ulimitNames.includes(name)) throw refuse('ulimits', `invalid ulimit type: ${name}`);
    const order = 'ulimit soft limit must be less than or equal to hard limit';
    if (hard === -1n) continue;
    if (soft === -1n) throw refuse('ulimits', `${order}: soft: -1 (unlimited), hard: ${hard}`);
    if (soft > hard) throw refuse('ulimits', `${order}: ${soft} > ${hard}`);
  }
}
