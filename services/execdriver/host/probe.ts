import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { arch, availableParallelism, hostname, machine, release, totalmem } from 'node:os';
import { bootId } from '../../../kit/linux/process.ts';
import type { Hierarchies } from '../cgroups/hierarchies.ts';
import { weightFiles } from '../spec/facts.ts';

/** What the kernel of this host can do for containers. */
export interface HostProbe {
  cgroupLayout: string;
  memoryLimit: boolean;
  swapLimit: boolean;
  cpuShares: boolean;
  cpuQuota: boolean;
  cpuset: boolean;
  pidsLimit: boolean;
  blkio: boolean;
  freezer: boolean;
  seccomp: boolean;
  apparmor: boolean;
  selinux: boolean;
  bootId: string;
  kernelVersion: string;
  operatingSystem: string;
  architecture: string;
  cpus: number;
  memoryTotal: number;
  ipv4Forwarding: boolean;
  warnings: string[];
  hostname: string;
  memoryReservation: boolean;
  memorySwappiness: boolean;
  oomKillDisable: boolean;
  cpuRealtime: boolean;
  blkioWeight: boolean;
  blkioWeightDevice: boolean;
  blkioThrottle: boolean;
  cgroupNamespaces: boolean;
  cpusAvailable: string;
  memsAvailable: string;
  capabilities: string[];
}

/** Looks at the files that would be written, not at versions. */
export function probeHost(
  hierarchies: Hierarchies,
  capabilities: readonly string[],
  bfqIsThere = isBfqThere(),
): HostProbe {
  const v2 = hierarchies.layout === 'v2';
  // Files of a limit are in every cgroup but the unified root: there the controller's being offered says it.
  const has = (controller: string, file: string) => {
    const root = hierarchies.directoryOf(controller, '');
    if (root === undefined) return false;
    if (!v2) return existsSync(`${root}/${file}`);
    return hierarchies.all.some(({ controllers }) => controllers.includes(controller));
  };
  const hasOnly1 = (controller: string, file: string) => !v2 && has(controller, file);
  const cpusetFile = (name: string) => {
    const root = hierarchies.directoryOf('cpuset', '');
    return root === undefined ? '' : readOr(`${root}/cpuset.${v2 ? `${name}.effective` : `effective_${name}`}`).trim();
  };
  const weighs = v2 ? has('io', '') : weightFiles.some((file) => has('blkio', file));
  const memoryLimit = has('memory', 'memory.limit_in_bytes') && has('memory', 'memory.soft_limit_in_bytes');
  const found = {
    cgroupLayout: hierarchies.layout,
    memoryLimit,
    swapLimit: v2 ? memoryLimit && existsSync('/proc/swaps') : has('memory', 'memory.memsw.limit_in_bytes'),
    cpuShares: has('cpu', 'cpu.shares'),
    cpuQuota: has('cpu', 'cpu.cfs_quota_us'),
    cpuset: has('cpuset', 'cpuset.cpus'),
    pidsLimit: has('pids', 'cgroup.procs'),
    blkio: has(v2 ? 'io' : 'blkio', 'cgroup.procs'),
    freezer: v2 || has('freezer', 'cgroup.procs'),
    seccomp: /^Seccomp:/m.test(readOr('/proc/self/status')),
    apparmor: readOr('/sys/module/apparmor/parameters/enabled').startsWith('Y'),
    selinux: existsSync('/sys/fs/selinux/enforce'),
    memoryReservation: has('memory', 'memory.soft_limit_in_bytes'),
    memorySwappiness: hasOnly1('memory', 'memory.swappiness'),
    oomKillDisable: hasOnly1('memory', 'memory.oom_control'),
    cpuRealtime: hasOnly1('cpu', 'cpu.rt_period_us'),
    blkioWeight: weighs,
    // Of unified cgroups the runtimes weigh single devices for the BFQ scheduler alone.
    blkioWeightDevice: v2 ? weighs && bfqIsThere : weighs,
    blkioThrottle: has(v2 ? 'io' : 'blkio', 'blkio.throttle.read_bps_device'),
    cgroupNamespaces: existsSync('/proc/self/ns/cgroup'),
    cpusAvailable: cpusetFile('cpus'),
    memsAvailable: cpusetFile('mems'),
    capabilities: [...capabilities],
    ipv4Forwarding: readOr('/proc/sys/net/ipv4/ip_forward').trim() === '1',
  };
  return {
    ...found,
    bootId: bootId(),
    kernelVersion: release(),
    operatingSystem: operatingSystem(),
    architecture: machine() || arch(),
    cpus: availableParallelism(),
    memoryTotal: totalmem(),
    warnings: warningsFor(found),
    hostname: hostname(),
  };
}

type Found = Pick<
  HostProbe,
  | 'memoryLimit'
  | 'swapLimit'
  | 'cpuShares'
  | 'cpuQuota'
  | 'cpuset'
  | 'pidsLimit'
  | 'blkio'
  | 'freezer'
  | 'seccomp'
  | 'ipv4Forwarding'
>;

/** The words are Docker's: people look for them. */
function warningsFor(found: Found): string[] {
  const lacks: [boolean, string][] = [
    [found.memoryLimit, 'WARNING: No memory limit support'],
    [found.swapLimit, 'WARNING: No swap limit support'],
    [found.cpuShares, 'WARNING: No cpu shares support'],
    [found.cpuQuota, 'WARNING: No cpu cfs quota support'],
    [found.cpuset, 'WARNING: No cpuset support'],
    [found.pidsLimit, 'WARNING: No pids limit support'],
    [found.blkio, 'WARNING: No blkio support'],
    [found.freezer, 'WARNING: No cgroup freezer: containers cannot be paused'],
    [found.seccomp, 'WARNING: No seccomp support: containers run without a system call filter'],
    [found.ipv4Forwarding, 'WARNING: IPv4 forwarding is disabled'],
  ];
  return lacks.filter(([isThere]) => !isThere).map(([, warning]) => warning);
}

/** Whether a block device has it to choose from. */
function isBfqThere(): boolean {
  const devices = existsSync('/sys/block') ? readdirSync('/sys/block') : [];
  return devices.some((device) => /\bbfq\b/.test(readOr(`/sys/block/${device}/queue/scheduler`)));
}

function operatingSystem(): string {
  const text = readOr('/etc/os-release') || readOr('/usr/lib/os-release');
  return /^PRETTY_NAME="?([^"\n]*)"?$/m.exec(text)?.[1] ?? 'Linux';
}

function readOr(path: string, otherwise = ''): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return otherwise;
  }
}
