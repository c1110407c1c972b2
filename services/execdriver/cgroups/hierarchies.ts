import { readFileSync } from 'node:fs';
import { parseMountinfo } from '../../../kit/linux/mountinfo.ts';
import { errors } from '../errors.ts';

/** One mounted tree of cgroups. */
export interface Hierarchy {
  /** Where it is mounted. */
  root: string;
  /** 2: unified. */
  version: 1 | 2;
  /** `memory`, `freezer` …; empty for named hierarchies. Of a unified one, those that are not taken by version 1. */
  controllers: readonly string[];
}

export type Layout = 'v1' | 'hybrid' | 'v2';

/**
 * The cgroups of this host. *v2*: one unified tree. *v1*: a tree for each controller. *hybrid*: version 1 with an additional
 * unified tree at `unified`.
 */
export interface Hierarchies {
  layout: Layout;
  all: readonly Hierarchy[];
  /** The directory in which a controller's files of a cgroup are; undefined when this host lacks the controller. */
  directoryOf(controller: string, cgroup: string): string | undefined;
}

const cgroupRoot = '/sys/fs/cgroup';

const knownControllers = [
  'cpu',
  'cpuacct',
  'cpuset',
  'memory',
  'devices',
  'freezer',
  'net_cls',
  'net_prio',
  'blkio',
  'perf_event',
  'hugetlb',
  'pids',
  'rdma',
  'misc',
];

/** Reads the mount table anew. Throws CGROUPS_UNUSABLE when there are none. */
export function readHierarchies(): Hierarchies {
  const mounts = parseMountinfo(readFileSync('/proc/self/mountinfo', 'utf8'), cgroupRoot);
  const all = new Map<string, Hierarchy>();
  for (const { type, target, filesystemOptions } of mounts) {
    // The newest mount at a place hides those below it.
    if (type === 'cgroup2') all.set(target, { root: target, version: 2, controllers: controllersOf(target) });
    if (type !== 'cgroup') continue;
    const controllers = filesystemOptions.filter((option) => knownControllers.includes(option));
    all.set(target, { root: target, version: 1, controllers });
  }
  return hierarchiesOf([...all.values()]);
}

export function hierarchiesOf(all: readonly Hierarchy[]): Hierarchies {
  if (all.length === 0) throw errors.cgroupsUnusable({ detail: `no cgroups are mounted below ${cgroupRoot}` });
  const layout = layoutOf(all);
  const unified = all.find((hierarchy) => hierarchy.version === 2);
  return {
    layout,
    all,
    directoryOf(controller, cgroup) {
      const owner = all.find(({ version, controllers }) => version === 1 && controllers.includes(controller));
      if (owner) return `${owner.root}${cgroup}`;
      return layout === 'v2' && unified ? `${unified.root}${cgroup}` : undefined;
    },
  };
}

function layoutOf(all: readonly Hierarchy[]): Layout {
  const hasUnified = all.some((hierarchy) => hierarchy.version === 2);
  if (all.every((hierarchy) => hierarchy.version === 2)) return 'v2';
  return hasUnified ? 'hybrid' : 'v1';
}

/** What the kernel offers in a unified tree. */
export function controllersOf(root: string): string[] {
  return readFileSync(`${root}/cgroup.controllers`, 'utf8')
    .trim()
    .split(' ')
    .filter((name) => name !== '');
}
