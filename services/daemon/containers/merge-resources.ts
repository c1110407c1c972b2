import { ContainerResources } from '../../../proto/gen/longshore/daemon/v1/config.ts';
import { errors } from '../errors.ts';

/** Limits with those that are asked for in the place of the old; 0 and empty ask for nothing. CANNOT_UPDATE, in Docker's words. */
export function mergeResources(
  container: string,
  old: ContainerResources,
  asked: ContainerResources | undefined,
): ContainerResources {
  if (asked === undefined) return old;
  const refuse = (problem: string) => errors.cannotUpdate({ container, problem });
  const conflict = (wanted: string, present: string) =>
    refuse(`Conflicting options: ${wanted} cannot be updated as ${present} has already been set`);
  if (asked.nanoCpus > 0 && old.cpuPeriod > 0) throw conflict('Nano CPUs', 'CPU Period');
  if (asked.nanoCpus > 0 && old.cpuQuota > 0) throw conflict('Nano CPUs', 'CPU Quota');
  if (asked.cpuPeriod > 0 && old.nanoCpus > 0) throw conflict('CPU Period', 'NanoCPUs');
  if (asked.cpuQuota > 0 && old.nanoCpus > 0) throw conflict('CPU Quota', 'NanoCPUs');
  if (asked.memory > 0 && old.memorySwap > 0 && asked.memory > old.memorySwap && asked.memorySwap === 0) {
    const advice = 'update the memoryswap at the same time';
    throw refuse(`Memory limit should be smaller than already set memoryswap limit, ${advice}`);
  }
  return {
    ...old,
    memory: asked.memory || old.memory,
    memorySwap: asked.memorySwap || old.memorySwap,
    memoryReservation: asked.memoryReservation || old.memoryReservation,
    nanoCpus: asked.nanoCpus || old.nanoCpus,
    cpuShares: asked.cpuShares || old.cpuShares,
    cpuPeriod: asked.cpuPeriod || old.cpuPeriod,
    cpuQuota: asked.cpuQuota || old.cpuQuota,
    cpusetCpus: asked.cpusetCpus || old.cpusetCpus,
    cpusetMems: asked.cpusetMems || old.cpusetMems,
    pidsLimit: asked.pidsLimit ?? old.pidsLimit,
    blkioWeight: asked.blkioWeight || old.blkioWeight,
    cpuRealtimePeriod: asked.cpuRealtimePeriod || old.cpuRealtimePeriod,
    cpuRealtimeRuntime: asked.cpuRealtimeRuntime || old.cpuRealtimeRuntime,
  };
}

/** Of what is to hold now, the part that was asked for. What is only right together goes together. */
export function onlyAsked(now: ContainerResources, asked: ContainerResources): ContainerResources {
  return {
    ...ContainerResources.create(),
    ...((asked.memory !== 0 || asked.memorySwap !== 0) && { memory: now.memory, memorySwap: now.memorySwap }),
    ...(asked.memoryReservation !== 0 && { memoryReservation: now.memoryReservation }),
    ...(asked.nanoCpus !== 0 && { nanoCpus: now.nanoCpus }),
    ...(asked.cpuShares !== 0 && { cpuShares: now.cpuShares }),
    ...((asked.cpuPeriod !== 0 || asked.cpuQuota !== 0) && { cpuPeriod: now.cpuPeriod, cpuQuota: now.cpuQuota }),
    ...(asked.cpusetCpus !== '' && { cpusetCpus: now.cpusetCpus }),
    ...(asked.cpusetMems !== '' && { cpusetMems: now.cpusetMems }),
    ...(asked.pidsLimit !== undefined && { pidsLimit: now.pidsLimit }),
    ...(asked.blkioWeight !== 0 && { blkioWeight: now.blkioWeight }),
    ...((asked.cpuRealtimePeriod !== 0 || asked.cpuRealtimeRuntime !== 0) && {
      cpuRealtimePeriod: now.cpuRealtimePeriod,
      cpuRealtimeRuntime: now.cpuRealtimeRuntime,
    }),
  };
}
