import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { ownProcsFiles } from '../../kit/linux/cgroup-join.ts';
import { summarize } from '../statistics.ts';

const [tries, quietMs] = [5, 100];

/**
 * What the first process to join a cgroup after a quiet while waits, in ms; undefined where none can. It decides what starting
 * a container or a command costs every engine here: some 7 ms of a tick each for the kernel's RCU, nothing once somebody has
 * mounted cgroups with `favordynmods` (cgroup-v2.rst; since Linux 6.18 until the next boot).
 */
export async function firstCgroupJoin(): Promise<number | undefined> {
  const file = ownProcsFiles(readFileSync('/proc/self/cgroup', 'utf8')).find((path) => existsSync(path));
  if (file === undefined) return undefined;
  const took: number[] = [];
  for (let done = 0; done < tries; done++) {
    await pause(quietMs);
    const begun = performance.now();
    // Ourselves, to where we are.
    writeFileSync(file, '0');
    took.push(performance.now() - begun);
  }
  return summarize(took).median;
}
