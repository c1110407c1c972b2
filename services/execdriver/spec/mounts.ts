import { readFileSync } from 'node:fs';
import { type Mount as KernelMount, parseMountinfo } from '../../../kit/linux/mountinfo.ts';
import type { ContainerSpec, Mount } from '../../../proto/gen/longshore/execdriver/v1/spec.ts';
import { errors } from '../errors.ts';
import type { OciMount } from './oci.ts';

/** Bytes. */
export const defaultShmSize = 64 * 1024 * 1024;

const mount = (destination: string, type: string, source: string, options: string): OciMount => ({
  destination,
  type,
  source,
  options: options.split(','),
});

function kernelMounts(spec: ContainerSpec, sharedShm: string): OciMount[] {
  const shm = `nosuid,noexec,nodev,mode=1777,size=${spec.shmSize || defaultShmSize}`;
  return [
    mount('/proc', 'proc', 'proc', 'nosuid,noexec,nodev'),
    mount('/dev', 'tmpfs', 'tmpfs', 'nosuid,strictatime,mode=755,size=65536k'),
    mount('/dev/pts', 'devpts', 'devpts', 'nosuid,noexec,newinstance,ptmxmode=0666,mode=0620,gid=5'),
    mount('/sys', 'sysfs', 'sysfs', 'nosuid,noexec,nodev,ro'),
    mount('/sys/fs/cgroup', 'cgroup', 'cgroup', 'ro,nosuid,noexec,nodev'),
    mount('/dev/mqueue', 'mqueue', 'mqueue', 'nosuid,noexec,nodev'),
    ...(spec.ipcMode === 'none' ? [] : [sharedShm ? shared(sharedShm) : mount('/dev/shm', 'tmpfs', 'shm', shm)]),
  ];
}

const shared = (source: string) => mount('/dev/shm', 'bind', source, 'rbind,nosuid,noexec,nodev,rprivate');

/** Stays writable in a read-only container: it is the container's own, or protected otherwise. */
const neverReadOnly = ['/proc', '/dev/pts', '/dev/shm', '/dev/mqueue', '/dev'];

export interface Mounts {
  mounts: OciMount[];
  rootfsPropagation?: string;
}

/**
 * The kernel's file systems where the user did not put something else, then the user's mounts, outer ones first. `sharedShm`:
 * where on the host /dev/shm is, if others have it too.
 */
export function mountsFor(spec: ContainerSpec, privileged: boolean, sharedShm = ''): Mounts {
  const wanted = [...spec.mounts].sort((a, b) => depth(a.destination) - depth(b.destination));
  const taken = new Set(wanted.map((entry) => entry.destination));
  const standard = kernelMounts(spec, sharedShm)
    .filter(({ destination }) => !taken.has(destination) && !(taken.has('/dev') && destination.startsWith('/dev/')))
    .map((entry) => (privileged && entry.destination.startsWith('/sys') ? without(entry, 'ro') : entry))
    .map((entry) =>
      spec.readOnlyRoot && !privileged && !neverReadOnly.includes(entry.destination) ? readOnly(entry) : entry,
    );
  const propagation = rootPropagation(wanted);
  return {
    mounts: [...standard, ...wanted.map(userMount)],
    ...(propagation !== undefined && { rootfsPropagation: propagation }),
  };
}

function depth(path: string): number {
  return path.split('/').filter((part) => part !== '').length;
}

function without(entry: OciMount, option: string): OciMount {
  return { ...entry, options: entry.options.filter((present) => present !== option) };
}

function readOnly(entry: OciMount): OciMount {
  return entry.options.includes('ro') ? entry : { ...entry, options: [...entry.options, 'ro'] };
}

const propagations = ['private', 'rprivate', 'shared', 'rshared', 'slave', 'rslave'];

function userMount(entry: Mount): OciMount {
  const { destination, type, source } = entry;
  if (!destination.startsWith('/')) {
    const detail = `invalid mount path: '${destination}' mount path must be absolute`;
    throw errors.badSpec({ field: 'mounts.destination', detail });
  }
  if (type === 'tmpfs') return { destination, type, source: 'tmpfs', options: tmpfsOptions(entry) };
  if (type !== 'bind') throw errors.badSpec({ field: 'mounts.type', detail: `invalid mount type: ${type}` });
  if (!source.startsWith('/')) {
    const detail = `invalid mount path: '${source}' mount path must be absolute`;
    throw errors.badSpec({ field: 'mounts.source', detail });
  }
  const propagation = entry.propagation || 'rprivate';
  if (!propagations.includes(propagation)) {
    throw errors.badSpec({ field: 'mounts.propagation', detail: `invalid propagation mode: ${propagation}` });
  }
  const recursive = entry.options.includes('bind') ? [] : ['rbind'];
  // `rro` makes the mounts below it read-only too (mount_setattr, Linux 5.12).
  const restricted = entry.readOnly ? [recursive.length > 0 ? 'rro' : 'ro'] : [];
  return { destination, type, source, options: [...recursive, ...entry.options, ...restricted, propagation] };
}

/** Each of a pair takes the other's place: later ones win. */
const opposites: Readonly<Record<string, string>> = {
  exec: 'noexec',
  noexec: 'exec',
  suid: 'nosuid',
  nosuid: 'suid',
  dev: 'nodev',
  nodev: 'dev',
  rw: 'ro',
  ro: 'rw',
};

function tmpfsOptions(entry: Mount): string[] {
  const wanted = ['noexec', 'nosuid', 'nodev', entry.propagation || 'rprivate', ...entry.options];
  if (entry.readOnly) wanted.push('ro');
  const options: string[] = [];
  for (const option of wanted.flatMap((text) => text.split(',')).filter((text) => text !== '')) {
    const name = option.split('=')[0] ?? option;
    const stale = options.findIndex((present) => present === opposites[option] || present.split('=')[0] === name);
    if (stale >= 0) options.splice(stale, 1);
    options.push(option);
  }
  return options;
}

/** The root must let through what a mount below it shares. The kernel only does so when the source is shared as well. */
function rootPropagation(wanted: readonly Mount[]): string | undefined {
  let result: string | undefined;
  for (const entry of wanted) {
    const isShared = entry.propagation.endsWith('shared');
    if (!isShared && !entry.propagation.endsWith('slave')) continue;
    const { target, propagation } = mountOf(entry.source);
    const tags = isShared ? ['shared:'] : ['shared:', 'master:'];
    if (!propagation.some((tag) => tags.some((prefix) => tag.startsWith(prefix)))) {
      const kind = isShared ? 'shared' : 'shared or slave';
      const detail = `path ${entry.source} is mounted on ${target} but it is not a ${kind} mount`;
      throw errors.badSpec({ field: 'mounts.propagation', detail });
    }
    if (isShared) result = 'shared';
    else result ??= 'rslave';
  }
  return result;
}

function mountOf(path: string): Pick<KernelMount, 'target' | 'propagation'> {
  let best: Pick<KernelMount, 'target' | 'propagation'> = { target: '/', propagation: [] };
  for (const candidate of parseMountinfo(readFileSync('/proc/self/mountinfo', 'utf8'))) {
    const below = candidate.target === '/' || path === candidate.target || path.startsWith(`${candidate.target}/`);
    if (below && candidate.target.length >= best.target.length) best = candidate;
  }
  return best;
}
