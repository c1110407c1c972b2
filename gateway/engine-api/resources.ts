import type { ContainerResources, DeviceRate } from '../../proto/gen/longshore/daemon/v1/config.ts';
import { type Body, type Bounds, uint32 } from './body.ts';
import { BadRequest } from './errors.ts';

const uint16: Bounds = [0, 0xffff];
const wholeRate: Bounds = [0, Number.MAX_SAFE_INTEGER];

/** The limits, which stand among HostConfig's other fields; `update` has them at the top. */
export function resourcesOf(body: Body): ContainerResources {
  refuseMaximum(body, 'IOMaximumBandwidth', 'bandwidth');
  refuseMaximum(body, 'IOMaximumIOps', 'IOPs');
  const rates = (name: string) =>
    body.objects(name).map((each) => ({ path: each.text('Path'), rate: each.integer('Rate', wholeRate) }));
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
    cpuRealtimePeriod: body.integer('CpuRealtimePeriod'),
    cpuRealtimeRuntime: body.integer('CpuRealtimeRuntime'),
    blkioWeightDevices: body.objects('BlkioWeightDevice').map((each) => ({
      path: each.text('Path'),
      weight: each.integer('Weight', uint16),
    })),
    blkioReadBps: rates('BlkioDeviceReadBps'),
    blkioWriteBps: rates('BlkioDeviceWriteBps'),
    blkioReadIops: rates('BlkioDeviceReadIOps'),
    blkioWriteIops: rates('BlkioDeviceWriteIOps'),
    ulimits: body.objects('Ulimits').map((each) => ({
      name: each.text('Name'),
      soft: each.long('Soft'),
      hard: each.long('Hard'),
    })),
  };
}

function refuseMaximum(body: Body, name: string, shown: string): void {
  if (body.integer(name) === 0) return;
  throw new BadRequest(`invalid option: QoS maximum ${shown} configuration is not supported on linux`);
}

/** -1 is how older clients say "not set". */
const swappiness = (value: number | undefined) => (value === -1 ? undefined : value);

const ratesJson = (rates: readonly DeviceRate[] = []) => rates.map(({ path, rate }) => ({ Path: path, Rate: rate }));

/** The same, as `inspect` shows it. */
export function resourcesJson(resources: ContainerResources | undefined): object {
  return {
    CpuShares: resources?.cpuShares ?? 0,
    Memory: resources?.memory ?? 0,
    NanoCpus: resources?.nanoCpus ?? 0,
    BlkioWeight: resources?.blkioWeight ?? 0,
    BlkioWeightDevice: (resources?.blkioWeightDevices ?? []).map(({ path, weight }) => ({
      Path: path,
      Weight: weight,
    })),
    BlkioDeviceReadBps: ratesJson(resources?.blkioReadBps),
    BlkioDeviceWriteBps: ratesJson(resources?.blkioWriteBps),
    BlkioDeviceReadIOps: ratesJson(resources?.blkioReadIops),
    BlkioDeviceWriteIOps: ratesJson(resources?.blkioWriteIops),
    CpuPeriod: resources?.cpuPeriod ?? 0,
    CpuQuota: resources?.cpuQuota ?? 0,
    CpuRealtimePeriod: resources?.cpuRealtimePeriod ?? 0,
    CpuRealtimeRuntime: resources?.cpuRealtimeRuntime ?? 0,
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
