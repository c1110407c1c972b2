import { existsSync, readdirSync, readFileSync, rmdirSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { hasCode } from '../../../kit/linux/system-error.ts';
import type { Hierarchies } from './hierarchies.ts';

/** Names of the cgroups right below one; none when it is gone. */
export function childCgroups(directory: string): string[] {
  try {
    return readdirSync(directory, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => entry.name);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return [];
    throw error;
  }
}

/** Processes of a cgroup and of those below it. */
export function processesIn(directory: string): number[] {
  let own: number[] = [];
  try {
    own = readFileSync(`${directory}/cgroup.procs`, 'utf8').split('\n').filter(Boolean).map(Number);
  } catch (error) {
    if (!hasCode(error, 'ENOENT', 'ENODEV', 'EOPNOTSUPP')) throw error;
  }
  return [...own, ...childCgroups(directory).flatMap((name) => processesIn(`${directory}/${name}`))];
}

/** All processes of a cgroup, whatever hierarchy shows them. */
export function processesOf(hierarchies: Hierarchies, cgroup: string): number[] {
  // Pids of processes that this pid namespace can't see are 0.
  const everywhere = hierarchies.all.flatMap(({ root }) => processesIn(`${root}${cgroup}`)).filter((pid) => pid > 0);
  return [...new Set(everywhere)];
}

/** Processes that are gone leave their cgroup a moment later: how often, and how long, that is waited for. */
const attempts = 50;
const pauseMs = 20;

/**
 * Removes a cgroup, with those below it, from every hierarchy, ending what still runs in it. Throws the kernel's EBUSY when
 * something can't be ended.
 */
export async function removeCgroup(hierarchies: Hierarchies, cgroup: string): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const busy = hierarchies.all.map(({ root }) => tryRemove(`${root}${cgroup}`)).find((error) => error !== undefined);
    if (busy === undefined) return;
    if (attempt === attempts) throw busy;
    for (const pid of processesOf(hierarchies, cgroup)) kill(pid);
    await delay(attempt === 1 ? 1 : pauseMs);
  }
}

/** Returns what kept it from being removed. */
function tryRemove(directory: string): unknown {
  // Mostly asked for twice, at the end of the processes and of the container.
  if (!existsSync(directory)) return undefined;
  try {
    rmdirSync(directory);
    return undefined;
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    if (!hasCode(error, 'EBUSY', 'ENOTEMPTY')) return error;
    const children = childCgroups(directory);
    if (children.length === 0) return error;
    const failed = children.map((name) => tryRemove(`${directory}/${name}`)).find((problem) => problem !== undefined);
    return failed ?? tryRemove(directory);
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if (!hasCode(error, 'ESRCH')) throw error;
  }
}
