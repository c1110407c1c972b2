import type { Resources } from '../../../proto/gen/longshore/execdriver/v1/spec.ts';
import { errors } from '../errors.ts';
import { blockIoFor } from './block-io.ts';
import type { OciResources } from './oci.ts';

/** Microseconds: the period that `--cpus` is counted in. */
const cpuPeriod = 100_000;

/** Below this a container's own start would be killed. As Docker. */
const leastMemory = 6 * 1024 * 1024;

type Host = { countsSwap: boolean; weighsBlockDevices: boolean };

/** Limits as the runtime takes them, without the device rules. What is 0 or empty was not asked for. */
export function resourcesFor(resources: Resources, host: Host): Omit<OciResources, 'devices'> {
  const memory = memoryOf(resources, host);
  const cpu = cpuOf(resources);
  const blockIO = blockIoFor(resources, host.weighsBlockDevices);
  const { pidsLimit } = resources;
  return {
    ...(Object.keys(memory).length > 0 && { memory }),
    ...(Object.keys(cpu).length > 0 && { cpu }),
    ...(pidsLimit !== undefined && pidsLimit !== 0 && { pids: { limit: pidsLimit > 0 ? pidsLimit : -1 } }),
    ...(Object.keys(blockIO).length > 0 && { blockIO }),
  };
}

function memoryOf(resources: Resources, host: Host): NonNullable<OciResources['memory']> {
  const { memory, memorySwap, memoryReservation, memorySwappiness, oomKillDisable } = resources;
  if (memory < 0 || (memory > 0 && memory < leastMemory)) {
    throw errors.badSpec({ field: 'resources.memory', detail: 'Minimum memory limit allowed is 6MB' });
  }
  if (memorySwap > 0 && memorySwap < memory) {
    const detail = 'Minimum memoryswap limit should be larger than memory limit, see usage';
    throw errors.badSpec({ field: 'resources.memory_swap', detail });
  }
  const swap = memory > 0 && memorySwap === 0 ? memory * 2 : memorySwap;
  return {
    ...(memory > 0 && { limit: memory }),
    ...(swap !== 0 && host.countsSwap && { swap }),
    ...(memoryReservation > 0 && { reservation: memoryReservation }),
    ...(memorySwappiness !== undefined && memorySwappiness >= 0 && { swappiness: memorySwappiness }),
    ...(oomKillDisable && { disableOOMKiller: true }),
  };
}

function cpuOf(resources: Resources): NonNullable<OciResources['cpu']> {
  const { nanoCpus, cpuShares, cpuPeriod: givenPeriod, cpuQuota, cpusetCpus, cpusetMems } = resources;
  const { cpuRealtimePeriod, cpuRealtimeRuntime } = resources;
  if (nanoCpus > 0 && (givenPeriod > 0 || cpuQuota > 0)) {
    const detail = 'Conflicting options: Nano CPUs and CPU Period or Quota cannot both be set.';
    throw errors.badSpec({ field: 'resources.nano_cpus', detail });
  }
  const period = nanoCpus > 0 ? cpuPeriod : givenPeriod;
  const quota = nanoCpus > 0 ? Math.floor((nanoCpus * cpuPeriod) / 1e9) : cpuQuota;
  return {
    ...(cpuShares !== 0 && { shares: cpuShares }),
    ...(quota !== 0 && { quota }),
    ...(period !== 0 && { period }),
    ...(cpuRealtimePeriod !== 0 && { realtimePeriod: cpuRealtimePeriod }),
    ...(cpuRealtimeRuntime !== 0 && { realtimeRuntime: cpuRealtimeRuntime }),
    ...(cpusetCpus !== '' && { cpus: cpusetCpus }),
    ...(cpusetMems !== '' && { mems: cpusetMems }),
  };
}
