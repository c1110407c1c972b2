import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

/** Names of the cgroups of an engine, in whatever hierarchy they are. */
export function cgroupsBelow(engineId: string): string[] {
  const hierarchies = existsSync('/sys/fs/cgroup/cgroup.controllers') ? [''] : readdirSync('/sys/fs/cgroup');
  const found = hierarchies.flatMap((hierarchy) => {
    const parent = `/sys/fs/cgroup/${hierarchy}/longshore-${engineId.slice(0, 12)}`;
    if (!existsSync(parent)) return [];
    return readdirSync(parent, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  });
  return [...new Set(found.map((entry) => entry.name))];
}

/** Waits for what the kernel or another process does in its own time. */
export async function until(isSo: () => boolean | Promise<boolean>, limitMs = 10_000): Promise<void> {
  const end = Date.now() + limitMs;
  while (!(await isSo())) {
    if (Date.now() > end) throw new Error(`not within ${limitMs} ms: ${isSo}`);
    await delay(5);
  }
}

/** Pids of the processes of this host that have the words on their command line, where they are apart by NUL. */
export function processesWith(words: string): number[] {
  const has = (name: string) => {
    try {
      return /^\d+$/.test(name) && readFileSync(`/proc/${name}/cmdline`, 'utf8').includes(words);
    } catch {
      // Gone between the listing and now.
      return false;
    }
  };
  return readdirSync('/proc').filter(has).map(Number);
}

export function someRuns(words: string): boolean {
  return processesWith(words).length > 0;
}

/** Resolves when no process of this host has the words on its command line any more. */
export function noneRuns(words: string): Promise<void> {
  return until(() => !someRuns(words));
}
