import { mkdirSync } from 'node:fs';
import { startTimeOf } from '../../../kit/linux/process.ts';
import type { ProcessMark } from '../containers/record.ts';
import { errors } from '../errors.ts';
import { attachSocketOf, type ExecMonitor } from '../runtime/conmon.ts';
import { connectHub, type Hub } from '../stdio/hub.ts';
import type { ExecParts } from './execs.ts';
import { servingContainer } from './further-process.ts';
import type { MonitorForm } from './ready-monitors.ts';

/** A monitor that waits for a process, with all that need not wait for it done. */
export interface AttachedMonitor extends ExecMonitor {
  mark: ProcessMark;
  /** Its output, from the first byte of a process that is run from then on. MONITOR_FAILED. */
  hub: Promise<Hub>;
}

/** A monitor for an exec, in a directory that is there from now on. UNKNOWN_RUNTIME, MONITOR_FAILED. */
export async function startAttachedMonitor(
  parts: Pick<ExecParts, 'containers' | 'runtimes' | 'monitor' | 'monitorCgroup' | 'paths' | 'log'>,
  { containerId, generation, tty, stdin, place }: MonitorForm,
): Promise<AttachedMonitor> {
  const directory = parts.paths.execOf(place);
  const { record } = servingContainer(parts.containers, containerId);
  if (record.generation !== generation) throw errors.notRunning({ id: containerId });
  const runtime = await parts.runtimes.get(record.terms.runtime);
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
