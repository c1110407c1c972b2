import type { ContainerResources } from '../../proto/gen/longshore/daemon/v1/config.ts';
import { type Body, uint32 } from './body.ts';

/** The limits, which stand among HostConfig's other fields; `update` has them at the top. */
export function resourcesOf(body: Body): ContainerResources {
  body.refuseSet('BlkioWeightDevice', 'BlkioDeviceReadBps', 'BlkioDeviceWriteBps');
  body.refuseSet('BlkioDeviceReadIOps', 'BlkioDeviceWriteIOps', 'IOMaximumIOps', 'IOMaximumBandwidth');
  return {
    memory: body.integer('Memory'),
    memorySwap: body.integer('MemorySwap'),
    memoryReservation: body.integer('MemoryReservation'),
    memorySwappiness: swappiness(body.optionalInteger('MemorySwappiness')),
    oomKillDisable: body.truth('OomKillDisable'),
    nanoCpus: body.integer('NanoCpus'),
    cpuShares: body.integer('CpuShares'),
    cpuPeriod: body.integer('CpuPeriod'),
    cpuQuota: body.integer('CpuQuota'),
    cpusetCpus: body.text('CpusetCpus'),
    cpusetMems: body.text('CpusetMems'),
    pidsLimit: body.optionalInteger('PidsLimit'),
    blkioWeight: body.integer('BlkioWeight', uint32),
    ulimits: body.objects('Ulimits').map((each) => ({
      name: each.text('Name'),
      soft: each.long('Soft'),
      hard: each.long('Hard'),
    })),
  };
}

/** -1 is how older clients say "not set". */
const swappiness = (value: number | undefined) => (value === -1 ? undefined : value);

/** The same, as `inspect` shows it. */
export function resourcesJson(resources: ContainerResources | undefined): object {
  return {
    CpuShares: resources?.cpuShares ?? 0,
    Memory: resources?.memory ?? 0,
    NanoCpus: resources?.nanoCpus ?? 0,
    CgroupParent: '',
    BlkioWeight: resources?.blkioWeight ?? 0,
    BlkioWeightDevice: [],
    BlkioDeviceReadBps: [],
    BlkioDeviceWriteBps: [],
    BlkioDeviceReadIOps: [],
    BlkioDeviceWriteIOps: [],
    CpuPeriod: resources?.cpuPeriod ?? 0,
    CpuQuota: resources?.cpuQuota ?? 0,
    CpuRealtimePeriod: 0,
    CpuRealtimeRuntime: 0,
    CpusetCpus: resources?.cpusetCpus ?? '',
    CpusetMems: resources?.cpusetMems ?? '',
    MemoryReservation: resources?.memoryReservation ?? 0,
    MemorySwap: resources?.memorySwap ?? 0,
    MemorySwappiness: resources?.memorySwappiness ?? null,
    OomKillDisable: resources?.oomKillDisable ?? false,
    PidsLimit: resources?.pidsLimit ?? null,
    Ulimits: (resources?.ulimits ?? []).map((each) => ({
      Name: each.name,
      Soft: Number(each.soft),
      Hard: Number(each.hard),
    })),
    CpuCount: 0,
    CpuPercent: 0,
    IOMaximumIOps: 0,
    IOMaximumBandwidth: 0,
  };
}
