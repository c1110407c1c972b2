import { readdirSync, readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { startTimeOf, statOf } from '../../../kit/linux/process.ts';
import { hasCode } from '../../../kit/linux/system-error.ts';
import type { Hierarchies } from '../cgroups/hierarchies.ts';
import { processesOf } from '../cgroups/tree.ts';
import type { Container } from '../containers/container.ts';
import { signalMarked } from '../containers/signal.ts';
import type { Paths } from '../paths.ts';
import { removeTree } from '../removal.ts';
import { processFileOf } from '../runtime/run-exec.ts';

/** Of the times in proc_pid_stat(5), whatever the kernel's own: USER_HZ is 100 on all machines that we run on. */
const ticksPerSecond = 100;

/** How long ago the runtime's child in the container began, in milliseconds; undefined while there is none. */
export function ageOfChild(hierarchies: Hierarchies, cgroup: string, runtimePid: number): number | undefined {
  const child = childOf(hierarchies, cgroup, runtimePid);
  if (child === undefined) return undefined;
  const uptime = Number(readFileSync('/proc/uptime', 'utf8').split(' ', 1)[0]);
  return (uptime - Number(child.startTime) / ticksPerSecond) * 1000;
}

/** How long the runtime may take to follow its child; a frozen one does not die before it is thawed. */
const followMs = 1000;

/**
 * SIGKILL for all that a probe has started: its session, in the container's cgroup. The runtime is stopped meanwhile, so that
 * it starts nothing; then it reaps its child and ends. Killed with it, the child would stay a zombie of the container's init.
 */
export function endSession(
  hierarchies: Hierarchies,
  cgroup: string | undefined,
  runtime: { pid: number; startTime: string },
): void {
  if (startTimeOf(runtime.pid) !== runtime.startTime) return;
  signal(runtime.pid, 'SIGSTOP');
  const child = cgroup === undefined ? undefined : childOf(hierarchies, cgroup, runtime.pid);
  // What has no child in the cgroup yet is still at its beginnings, and what it has begun ends with it.
  if (cgroup === undefined || child === undefined) {
    signal(runtime.pid, 'SIGKILL');
    return;
  }
  const told = new Set<number>();
  // What is born meanwhile is found by looking again.
  for (let found = true; found; ) {
    found = false;
    for (const pid of processesOf(hierarchies, cgroup)) {
      if (told.has(pid) || statOf(pid)?.session !== child.session) continue;
      told.add(pid);
      found = true;
      signal(pid, 'SIGKILL');
    }
  }
  signal(runtime.pid, 'SIGCONT');
  setTimeout(() => signalMarked(runtime, constants.signals.SIGKILL), followMs).unref();
}

/** Ends the probes of an earlier life: runtimes whose command line names one of our process files, each with its session. */
export function sweepProbes(
  hierarchies: Hierarchies,
  containers: ReadonlyMap<string, Container>,
  paths: Pick<Paths, 'probes' | 'probesOf'>,
): void {
  const ids = readdirSync(paths.probes);
  if (ids.length === 0) return;
  const idByFile = new Map(ids.map((id) => [processFileOf(paths.probesOf(id)), id]));
  for (const name of readdirSync('/proc').filter((each) => /^\d+$/.test(each))) {
    const id = wordsOf(name)
      .map((word) => idByFile.get(word))
      .find((each) => each !== undefined);
    const pid = Number(name);
    const startTime = startTimeOf(pid);
    if (id === undefined || startTime === undefined) continue;
    endSession(hierarchies, containers.get(id)?.record.terms.cgroup, { pid, startTime });
  }
  for (const id of ids) removeTree(paths.probesOf(id));
}

function wordsOf(pid: string): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  } catch {
    // It has ended.
    return [];
  }
}

function childOf(hierarchies: Hierarchies, cgroup: string, runtimePid: number) {
  for (const pid of processesOf(hierarchies, cgroup)) {
    const stat = statOf(pid);
    if (stat?.parent === runtimePid) return stat;
  }
  return undefined;
}

function signal(pid: number, name: 'SIGSTOP' | 'SIGCONT' | 'SIGKILL'): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if (!hasCode(error, 'ESRCH')) throw error;
  }
}
