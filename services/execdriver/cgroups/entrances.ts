import { closeSync, openSync, write } from 'node:fs';
import { promisify } from 'node:util';
import { hasCode } from '../../../kit/linux/system-error.ts';
import type { Hierarchies } from './hierarchies.ts';

/** A way into a cgroup: its cgroup.procs. */
export interface Entrance {
  directory: string;
  descriptor: number;
}

const writeAsync = promisify(write);

export function openEntrance(directory: string): Entrance {
  return { directory, descriptor: openSync(`${directory}/cgroup.procs`, 'w') };
}

/**
 * Moves a process in by all of them. Returns what failed; nothing when it has ended.
 * One after the other: the first may wait some milliseconds for the kernel (an RCU grace period), and while one waits the
 * others would only take up threads.
 */
export async function enterAll(entrances: readonly Entrance[], pid: number): Promise<string[]> {
  const problems: string[] = [];
  for (const { directory, descriptor } of entrances) {
    try {
      await writeAsync(descriptor, `${pid}`);
    } catch (error) {
      if (hasCode(error, 'ESRCH')) return problems;
      problems.push(`cannot move process ${pid} to ${directory}: ${String(error)}`);
    }
  }
  return problems;
}

/** Moves a process into a cgroup that is there, in all hierarchies. Throws where it cannot be. */
export async function enterCgroup(hierarchies: Hierarchies, cgroup: string, pid: number): Promise<void> {
  const entrances: Entrance[] = [];
  try {
    for (const { root } of hierarchies.all) entrances.push(openEntrance(`${root}${cgroup}`));
    const problems = await enterAll(entrances, pid);
    if (problems.length > 0) throw new Error(problems.join('; '));
  } finally {
    for (const { descriptor } of entrances) closeSync(descriptor);
  }
}
