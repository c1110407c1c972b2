import type { BlockDeviceUsage, Usage } from '../../proto/gen/longshore/execdriver/v1/usage.ts';
import { exactNumber } from './json.ts';
import { rfc3339 } from './times.ts';

/** Docker's shape of a sample and the one before it; without any, of a container that does not run. */
export function statsJson(
  { id, name }: { id: string; name: string },
  usage: Usage | undefined,
  before: Usage | undefined,
): object {
  return {
    name: `/${name}`,
    id,
    read: rfc3339(usage?.timeNs ?? 0n),
    preread: rfc3339(before?.timeNs ?? 0n),
    pids_stats: usage ? pidsJson(usage) : {},
    blkio_stats: usage ? blocksJson(usage.blockDevices) : noBlocks,
    num_procs: 0,
    storage_stats: {},
    cpu_stats: cpuJson(usage),
    precpu_stats: cpuJson(before),
    memory_stats: usage ? memoryJson(usage) : {},
    ...(usage && usage.interfaces.length > 0 && { networks: networksJson(usage) }),
  };
}

function pidsJson({ pids, pidsLimit }: Usage): object {
  // Without a limit Docker shows the largest number.
  return { current: pids, limit: pidsLimit > 0 ? pidsLimit : exactNumber(2n ** 64n - 1n) };
}

function cpuJson(usage: Usage | undefined): object {
  return {
    cpu_usage: {
      total_usage: exactNumber(usage?.cpuTotalNs ?? 0n),
      ...(usage && usage.cpuEachNs.length > 0 && { percpu_usage: usage.cpuEachNs.map(exactNumber) }),
      usage_in_kernelmode: exactNumber(usage?.cpuSystemNs ?? 0n),
      usage_in_usermode: exactNumber(usage?.cpuUserNs ?? 0n),
    },
    ...(usage && { system_cpu_usage: exactNumber(usage.hostCpuNs), online_cpus: usage.cpus }),
    throttling_data: {
      periods: usage?.throttlingPeriods ?? 0,
      throttled_periods: usage?.throttledPeriods ?? 0,
      throttled_time: exactNumber(usage?.throttledNs ?? 0n),
    },
  };
}

function memoryJson(usage: Usage): object {
  const details = Object.entries(usage.memoryDetails).map(([name, value]) => [name, exactNumber(value)]);
  return {
    usage: usage.memory,
    max_usage: usage.memoryPeak,
    stats: Object.fromEntries(details),
    failcnt: usage.memoryFailures,
    limit: usage.memoryLimit,
  };
}

const noBlocks = {
  io_service_bytes_recursive: null,
  io_serviced_recursive: null,
  io_queue_recursive: null,
  io_service_time_recursive: null,
  io_wait_time_recursive: null,
  io_merged_recursive: null,
  io_time_recursive: null,
  sectors_recursive: null,
};

function blocksJson(devices: readonly BlockDeviceUsage[]): object {
  const rows = (read: 'readBytes' | 'reads', write: 'writeBytes' | 'writes') =>
    devices.flatMap(({ major, minor, ...counts }) => [
      { major, minor, op: 'read', value: counts[read] },
      { major, minor, op: 'write', value: counts[write] },
    ]);
  return {
    ...noBlocks,
    io_service_bytes_recursive: rows('readBytes', 'writeBytes'),
    io_serviced_recursive: rows('reads', 'writes'),
  };
}

function networksJson({ interfaces }: Usage): object {
  const rows = interfaces.map((each) => [
    each.name,
    {
      rx_bytes: each.receivedBytes,
      rx_packets: each.receivedPackets,
      rx_errors: each.receivedErrors,
      rx_dropped: each.receivedDropped,
      tx_bytes: each.sentBytes,
      tx_packets: each.sentPackets,
      tx_errors: each.sentErrors,
      tx_dropped: each.sentDropped,
    },
  ]);
  return Object.fromEntries(rows);
}
