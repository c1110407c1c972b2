import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, readlinkSync, rmdirSync } from 'node:fs';

/**
 * The engines run in a network and a mount namespace that they share among each other and with nobody else, so that
 * whatever they do to interfaces, firewall rules, forwarding and mounts ends with the run. scripts/bench makes
 * it, and says in which network namespace it was itself.
 */
export function isInOwnRoom(): boolean {
  const outside = process.env.LONGSHORE_BENCH_OUTSIDE;
  return outside !== undefined && outside !== readlinkSync('/proc/self/ns/net');
}

/** Makes the namespaces fit for engines; answers how to undo what the host would see of it. */
export function furnishRoom(): () => void {
  execFileSync('ip', ['link', 'set', 'lo', 'up']);
  const folders = takeControllersFromUnified();
  return () => {
    for (const folder of folders) {
      execFileSync('umount', [folder]);
      rmdirSync(folder);
    }
  };
}

/** With hybrid cgroups crun refuses to work while the unified hierarchy has controllers: they get one of their own. */
function takeControllersFromUnified(): string[] {
  let controllers: string[];
  try {
    controllers = readFileSync('/sys/fs/cgroup/unified/cgroup.controllers', 'utf8').split(/\s/).filter(Boolean);
  } catch {
    // Not hybrid.
    return [];
  }
  return controllers.map((controller) => {
    const folder = `/sys/fs/cgroup/${controller}`;
    mkdirSync(folder, { recursive: true });
    execFileSync('mount', ['-t', 'cgroup', '-o', `nosuid,nodev,noexec,${controller}`, 'cgroup', folder]);
    return folder;
  });
}
