import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { hasCode } from '../../../kit/linux/system-error.ts';
import type { Hierarchies } from './hierarchies.ts';
import { processesOf } from './tree.ts';

const attempts = 200;
const pauseMs = 5;

/** Stops (or lets go on) every process of a cgroup. Resolves when the kernel says that it is so. */
export async function setFrozen(hierarchies: Hierarchies, cgroup: string, frozen: boolean): Promise<void> {
  const directory = hierarchies.directoryOf('freezer', cgroup);
  if (directory === undefined) throw new Error('this host has no cgroup freezer');
  const unified = hierarchies.layout === 'v2';
  const file = unified ? 'cgroup.freeze' : 'freezer.state';
  const wanted = unified ? (frozen ? '1' : '0') : frozen ? 'FROZEN' : 'THAWED';
  for (let attempt = 1; attempt <= attempts; attempt++) {
    // Version 1 may have to be told more than once: processes born meanwhile are caught by the next try.
    writeFileSync(`${directory}/${file}`, wanted);
    if (isFrozen(hierarchies, cgroup) === frozen) return;
    await delay(pauseMs);
  }
  throw new Error(`the kernel did not ${frozen ? 'freeze' : 'thaw'} ${directory} within a second`);
}

export function isFrozen(hierarchies: Hierarchies, cgroup: string): boolean {
  const directory = hierarchies.directoryOf('freezer', cgroup);
  if (directory === undefined) return false;
  if (hierarchies.layout === 'v2') return /^frozen 1$/m.test(readOr(`${directory}/cgroup.events`, ''));
  return readOr(`${directory}/freezer.state`, '').trim() === 'FROZEN';
}

/** How many processes of it the kernel has killed for want of memory. The count lasts as long as the cgroup. */
export function oomKills(hierarchies: Hierarchies, cgroup: string): number {
  const directory = hierarchies.directoryOf('memory', cgroup);
  if (directory === undefined) return 0;
  const file = hierarchies.layout === 'v2' ? 'memory.events' : 'memory.oom_control';
  const count = /^oom_kill (\d+)$/m.exec(readOr(`${directory}/${file}`, ''))?.[1];
  return Number(count ?? 0);
}

/** Sends a signal to every process of a cgroup; those that are born meanwhile are found by looking again. */
export function signalAll(hierarchies: Hierarchies, cgroup: string, signal: number): number {
  const told = new Set<number>();
  for (let found = true; found; ) {
    found = false;
    for (const pid of processesOf(hierarchies, cgroup)) {
      if (told.has(pid)) continue;
      told.add(pid);
      found = true;
      try {
        process.kill(pid, signal);
      } catch (error) {
        if (!hasCode(error, 'ESRCH')) throw error;
      }
    }
  }
  return told.size;
}

/** Less than this is a container's own: what a runtime has of the memory is some hundreds of KiB. */
const plentyOfMemory = 64 * 1024 * 1024;

/**
 * True when a process of ours, a runtime, may wait in a container's cgroups: where that is of use, the kernel shows which one it
 * is, and the container has no limit at which it would be felt. (In version 2 alone processes are begun in a cgroup anyway.)
 */
export function canHost(hierarchies: Hierarchies, cgroup: string): boolean {
  const limit = (controller: string, file: string) => {
    const directory = hierarchies.directoryOf(controller, cgroup);
    return Number(readOr(`${directory}/${file}`, 'max')) || Number.POSITIVE_INFINITY;
  };
  if (hierarchies.layout === 'v2' || !existsSync('/proc/thread-self/children')) return false;
  return (
    limit('pids', 'pids.max') === Number.POSITIVE_INFINITY && limit('memory', 'memory.limit_in_bytes') >= plentyOfMemory
  );
}

function readOr(path: string, otherwise: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENODEV')) return otherwise;
    throw error;
  }
}
