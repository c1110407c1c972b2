import { mkdirSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { childrenOf, startTimeOf } from '../../../kit/linux/process.ts';
import { canHost } from '../cgroups/container-cgroup.ts';
import { enterCgroup } from '../cgroups/entrances.ts';
import type { Hierarchies } from '../cgroups/hierarchies.ts';
import type { ProcessMark } from '../containers/record.ts';
import { errors } from '../errors.ts';
import { attachSocketOf, type ExecMonitor } from '../runtime/conmon.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { connectHub, type Hub } from '../stdio/hub.ts';
import type { ExecParts } from './execs.ts';
import { servingContainer } from './further-process.ts';
import type { MonitorForm } from './ready-monitors.ts';

/** A monitor that waits for a process, with all that need not wait for it done. */
export interface AttachedMonitor extends ExecMonitor {
  mark: ProcessMark;
  /** Its output, from the first byte of a process that is run from then on. MONITOR_FAILED. */
  hub: Promise<Hub>;
  /** The pid of its runtime where that waits in the container's cgroups, of which it is no part all the same. */
  insider?: number;
}

type MonitorParts = Pick<ExecParts, 'containers' | 'runtimes' | 'monitor' | 'monitorCgroup' | 'paths' | 'log'>;

/** A monitor for an exec, in a directory that is there from now on. UNKNOWN_RUNTIME, MONITOR_FAILED. */
export async function startAttachedMonitor(parts: MonitorParts, form: MonitorForm): Promise<AttachedMonitor> {
  return attach(parts, form, await runtimeOf(parts, form));
}

/**
 * One that is to wait for long. Its runtime waits in the container's cgroups where it can: the process is born there, and the
 * first to join a cgroup after a quiet while would wait 10 ms for the kernel (an RCU grace period).
 */
export async function startSpareMonitor(
  parts: MonitorParts & { hierarchies: Hierarchies },
  form: MonitorForm,
): Promise<AttachedMonitor> {
  const runtime = await runtimeOf(parts, form);
  const { hierarchies } = parts;
  const { cgroup } = servingContainer(parts.containers, form.containerId).record.terms;
  if (runtime.insideArguments === undefined || !canHost(hierarchies, cgroup)) return attach(parts, form, runtime);
  const globalArguments = runtime.insideArguments(form.containerId);
  const attached = attach(parts, form, { path: runtime.path, globalArguments });
  try {
    await attached.attachable;
    const insider = await runtimeBelow(attached.pid);
    await enterCgroup(hierarchies, cgroup, insider);
    return { ...attached, insider };
  } catch (err) {
    attached.abandon();
    parts.log.debug({ err, container: form.containerId }, 'no spare monitor');
    throw err;
  }
}

async function runtimeOf(parts: MonitorParts, { containerId, generation }: MonitorForm): Promise<Runtime> {
  const { record } = servingContainer(parts.containers, containerId);
  if (record.generation !== generation) throw errors.notRunning({ id: containerId });
  return parts.runtimes.get(record.terms.runtime);
}

function attach(
  parts: MonitorParts,
  { containerId, tty, stdin, place }: MonitorForm,
  runtime: Pick<Runtime, 'path' | 'globalArguments'>,
): AttachedMonitor {
  const directory = parts.paths.execOf(place);
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const monitor = parts.monitor.startExec({ containerId, execId: place, directory, runtime, tty, stdin });
  void parts.monitorCgroup.add(monitor.pid).then((problems) => {
    for (const problem of problems) parts.log.warn(problem);
  });
  const hub = monitor.attachable.then(() => connectHub(attachSocketOf(directory)));
  // Whoever runs a process by it hears of it.
  hub.catch(() => {});
  return { ...monitor, mark: markOf(monitor.pid), hub };
}

export function markOf(pid: number): ProcessMark {
  return { pid, startTime: startTimeOf(pid) ?? '' };
}

const [lookMs, looks] = [2, 50];

/** A monitor that can be attached to is about to start it. */
async function runtimeBelow(monitor: number): Promise<number> {
  for (let look = 0; look < looks; look += 1) {
    const [runtime] = childrenOf(monitor);
    if (runtime !== undefined) return runtime;
    await delay(lookMs);
  }
  throw errors.monitorFailed({ detail: 'no runtime is seen below it' });
}
