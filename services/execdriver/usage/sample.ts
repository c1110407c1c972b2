import { readlinkSync } from 'node:fs';
import { availableParallelism, totalmem } from 'node:os';
import { nowNs } from '../../../kit/clock.ts';
import type { BlockDeviceUsage, InterfaceUsage, Usage } from '../../../proto/gen/longshore/execdriver/v1/usage.ts';
import type { Hierarchies } from '../cgroups/hierarchies.ts';
import { readKernelFile, readNumber, readTable } from './files.ts';

/** Jiffies of /proc are hundredths of a second to user space on every architecture that Node runs on. */
const tickNs = 10_000_000n;

type Cpu = Pick<
  Usage,
  'cpuTotalNs' | 'cpuUserNs' | 'cpuSystemNs' | 'cpuEachNs' | 'throttlingPeriods' | 'throttledPeriods' | 'throttledNs'
>;
type Memory = Pick<Usage, 'memory' | 'memoryPeak' | 'memoryLimit' | 'memoryFailures' | 'memoryDetails'>;

/** Reads what a container has used so far. `init` is any process in its network namespace. */
export function sampleUsage(hierarchies: Hierarchies, cgroup: string, init: number): Usage {
  const directory = (controller: string) => hierarchies.directoryOf(controller, cgroup) ?? '/nowhere';
  const isUnified = hierarchies.layout === 'v2';
  return {
    timeNs: nowNs(),
    ...(isUnified ? cpuOfVersion2(directory('cpu')) : cpuOfVersion1(directory('cpuacct'), directory('cpu'))),
    ...hostCpu(),
    ...(isUnified ? memoryOfVersion2(directory('memory')) : memoryOfVersion1(directory('memory'))),
    pids: readNumber(`${directory('pids')}/pids.current`),
    pidsLimit: readNumber(`${directory('pids')}/pids.max`),
    blockDevices: isUnified ? blocksOfVersion2(directory('io')) : blocksOfVersion1(directory('blkio')),
    interfaces: isOfHost(init) ? [] : interfacesOf(readKernelFile(`/proc/${init}/net/dev`)),
  };
}

/** What goes through the host's interfaces is not one container's. */
function isOfHost(pid: number): boolean {
  return namespaceOf(pid) === namespaceOf('self');
}

function namespaceOf(pid: number | 'self'): string {
  try {
    return readlinkSync(`/proc/${pid}/ns/net`);
  } catch {
    return '';
  }
}

function cpuOfVersion1(accounting: string, limits: string): Cpu {
  const total = readKernelFile(`${accounting}/cpuacct.usage`).trim();
  const stat = readTable(`${accounting}/cpuacct.stat`);
  const throttling = readTable(`${limits}/cpu.stat`);
  const each = readKernelFile(`${accounting}/cpuacct.usage_percpu`).trim().split(' ').filter(Boolean);
  return {
    cpuTotalNs: BigInt(total || 0),
    cpuUserNs: (stat.get('user') ?? 0n) * tickNs,
    cpuSystemNs: (stat.get('system') ?? 0n) * tickNs,
    cpuEachNs: each.map(BigInt),
    throttlingPeriods: Number(throttling.get('nr_periods') ?? 0),
    throttledPeriods: Number(throttling.get('nr_throttled') ?? 0),
    throttledNs: throttling.get('throttled_time') ?? 0n,
  };
}

function cpuOfVersion2(directory: string): Cpu {
  const stat = readTable(`${directory}/cpu.stat`);
  const nanoseconds = (name: string) => (stat.get(name) ?? 0n) * 1000n;
  return {
    cpuTotalNs: nanoseconds('usage_usec'),
    cpuUserNs: nanoseconds('user_usec'),
    cpuSystemNs: nanoseconds('system_usec'),
    cpuEachNs: [],
    throttlingPeriods: Number(stat.get('nr_periods') ?? 0),
    throttledPeriods: Number(stat.get('nr_throttled') ?? 0),
    throttledNs: nanoseconds('throttled_usec'),
  };
}

/** All CPUs together: user, nice, system, idle, iowait, irq, softirq, steal of /proc/stat. */
function hostCpu(): Pick<Usage, 'hostCpuNs' | 'cpus'> {
  const [, fields = ''] = /^cpu +(.*)$/m.exec(readKernelFile('/proc/stat')) ?? [];
  const ticks = fields.split(' ').slice(0, 8).map(BigInt);
  return { hostCpuNs: ticks.reduce((sum, value) => sum + value, 0n) * tickNs, cpus: availableParallelism() };
}

function memoryOfVersion1(directory: string): Memory {
  const stat = readTable(`${directory}/memory.stat`);
  return {
    memory: readNumber(`${directory}/memory.usage_in_bytes`),
    memoryPeak: readNumber(`${directory}/memory.max_usage_in_bytes`),
    memoryLimit: Math.min(readNumber(`${directory}/memory.limit_in_bytes`) || totalmem(), totalmem()),
    memoryFailures: readNumber(`${directory}/memory.failcnt`),
    memoryDetails: Object.fromEntries(stat),
  };
}

function memoryOfVersion2(directory: string): Memory {
  const stat = readTable(`${directory}/memory.stat`);
  return {
    memory: readNumber(`${directory}/memory.current`),
    memoryPeak: readNumber(`${directory}/memory.peak`),
    memoryLimit: Math.min(readNumber(`${directory}/memory.max`) || totalmem(), totalmem()),
    memoryFailures: Number(readTable(`${directory}/memory.events`).get('max') ?? 0),
    memoryDetails: Object.fromEntries(stat),
  };
}

function blocksOfVersion1(directory: string): BlockDeviceUsage[] {
  const devices = new Map<string, BlockDeviceUsage>();
  const collect = (file: string, read: 'readBytes' | 'reads', write: 'writeBytes' | 'writes') => {
    for (const [, major, minor, operation, value] of readKernelFile(`${directory}/${file}`).matchAll(
      /^(\d+):(\d+) (Read|Write) (\d+)$/gm,
    )) {
      const device = deviceIn(devices, Number(major), Number(minor));
      device[operation === 'Read' ? read : write] += Number(value);
    }
  };
  collect('blkio.throttle.io_service_bytes_recursive', 'readBytes', 'writeBytes');
  collect('blkio.throttle.io_serviced_recursive', 'reads', 'writes');
  return [...devices.values()];
}

function blocksOfVersion2(directory: string): BlockDeviceUsage[] {
  const lines = readKernelFile(`${directory}/io.stat`).matchAll(/^(\d+):(\d+) (.*)$/gm);
  return [...lines].map(([, major, minor, fields = '']) => {
    const values = new Map(fields.split(' ').map((field) => field.split('=') as [string, string]));
    const value = (name: string) => Number(values.get(name) ?? 0);
    const bytes = { readBytes: value('rbytes'), writeBytes: value('wbytes') };
    return { major: Number(major), minor: Number(minor), ...bytes, reads: value('rios'), writes: value('wios') };
  });
}

function deviceIn(devices: Map<string, BlockDeviceUsage>, major: number, minor: number): BlockDeviceUsage {
  const key = `${major}:${minor}`;
  const known = devices.get(key) ?? { major, minor, readBytes: 0, writeBytes: 0, reads: 0, writes: 0 };
  devices.set(key, known);
  return known;
}

/** The columns of /proc/net/dev: eight for what is received, then eight for what is sent. */
export function interfacesOf(text: string): InterfaceUsage[] {
  return text.split('\n').flatMap((line) => {
    const [, name, rest] = /^\s*([^:\s]+):\s*(.*)$/.exec(line) ?? [];
    if (name === undefined || rest === undefined || name === 'lo') return [];
    const columns = rest.trim().split(/\s+/).map(Number);
    const column = (index: number) => columns[index] ?? 0;
    return [
      {
        name,
        receivedBytes: column(0),
        receivedPackets: column(1),
        receivedErrors: column(2),
        receivedDropped: column(3),
        sentBytes: column(8),
        sentPackets: column(9),
        sentErrors: column(10),
        sentDropped: column(11),
      },
    ];
  });
}
