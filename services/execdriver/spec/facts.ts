import { existsSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { hostname, machine, release } from 'node:os';
import { ownCapabilities } from '../../../kit/linux/capabilities.ts';
import { type Resource, type ResourceLimit, resourceLimits } from '../../../kit/linux/resource-limits.ts';
import { isAppArmorOn } from '../host/apparmor.ts';

/** What this process has and may: a container gets at most that. It does not change while the service lives. */
export interface EngineFacts {
  /** As `uname -m` says. */
  machine: string;
  /** As `uname -r` says. */
  kernel: string;
  hostname: string;
  /** What can be handed on: held, and not out of bounds. */
  capabilities: readonly string[];
  limits: ReadonlyMap<Resource, ResourceLimit>;
  /** The most open files that the kernel lets a process have, whoever asks for it. */
  mostOpenFiles: bigint;
  oomScoreAdj: number;
  /** Unified cgroups, version 2. */
  cgroup2: boolean;
  /** The kernel counts swap by cgroup. */
  countsSwap: boolean;
  /** Proportional weights for block devices are there. */
  weighsBlockDevices: boolean;
  /** … but by the BFQ scheduler's own files alone. */
  weighsByBfq: boolean;
  /** The kernel confines by AppArmor profiles, by SELinux labels. */
  appArmor: boolean;
  selinux: boolean;
  /** Thermal throttling counters, by which a container could watch its neighbours. */
  thermalPaths: readonly string[];
}

/** Which files of version 1's root tell that cgroups have weights: BFQ's own is in every cgroup but the root. */
export const weightFiles = ['blkio.weight', 'blkio.bfq.io_service_bytes'] as const;

/** `cgroupRoot` as a parameter so that tests can bring their own. */
export async function readEngineFacts(cgroupRoot = '/sys/fs/cgroup'): Promise<EngineFacts> {
  const { bounding, permitted } = ownCapabilities();
  const cgroup2 = existsSync(`${cgroupRoot}/cgroup.controllers`);
  return {
    machine: machine(),
    kernel: release(),
    hostname: hostname(),
    capabilities: [...bounding].filter((capability) => permitted.has(capability)),
    limits: resourceLimits(),
    mostOpenFiles: BigInt(await readFile('/proc/sys/fs/nr_open', 'utf8')),
    oomScoreAdj: Number(await readFile('/proc/self/oom_score_adj', 'utf8')),
    cgroup2,
    countsSwap: cgroup2 ? existsSync('/proc/swaps') : existsSync(`${cgroupRoot}/memory/memory.memsw.limit_in_bytes`),
    weighsBlockDevices: cgroup2 || weightFiles.some((file) => existsSync(`${cgroupRoot}/blkio/${file}`)),
    weighsByBfq:
      !cgroup2 &&
      !existsSync(`${cgroupRoot}/blkio/${weightFiles[0]}`) &&
      existsSync(`${cgroupRoot}/blkio/${weightFiles[1]}`),
    appArmor: isAppArmorOn(),
    selinux: existsSync('/sys/fs/selinux/enforce'),
    thermalPaths: possibleCpus().map(thermalPath).filter(existsSync),
  };
}

function thermalPath(cpu: number): string {
  return `/sys/devices/system/cpu/cpu${cpu}/thermal_throttle`;
}

/** `0-3,8` of /sys/devices/system/cpu/possible as numbers. */
function possibleCpus(): number[] {
  try {
    const text = readFileSync('/sys/devices/system/cpu/possible', 'utf8').trim();
    return text.split(',').flatMap((range) => {
      const [first = 0, last = first] = range.split('-').map(Number);
      return Array.from({ length: last - first + 1 }, (_, index) => first + index);
    });
  } catch {
    return [];
  }
}
