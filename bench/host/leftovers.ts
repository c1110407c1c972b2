import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, rmdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { endProcess, processesOf } from './processes.ts';

/** Removes a folder with everything that still runs or is mounted in it. */
export async function removeFolder(folder: string): Promise<void> {
  await Promise.all(processesOf(folder).map((pid) => endProcess(pid, 1_000)));
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .flatMap((line) => line.split(' ')[4] ?? [])
    .filter((target) => target.startsWith(`${folder}/`));
  // The newest first: it may lie in an older one.
  for (const target of mounts.toReversed()) execFileSync('umount', ['-l', target]);
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
}

/** Removes the empty cgroups of this name from every hierarchy. What is in use stays: the kernel refuses. */
export function removeCgroups(name: string): void {
  for (const hierarchy of ['', ...readdirSync('/sys/fs/cgroup')]) removeTree(join('/sys/fs/cgroup', hierarchy, name));
}

function removeTree(folder: string): void {
  try {
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      if (entry.isDirectory()) removeTree(join(folder, entry.name));
    }
    rmdirSync(folder);
  } catch {
    // Never made in this hierarchy, or in use.
  }
}
