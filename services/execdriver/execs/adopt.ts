import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { processAlive, startTimeOf } from '../../../kit/linux/process.ts';
import { parentOf } from '../containers/adopt.ts';
import { processExit } from '../containers/process-exit.ts';
import type { ProcessMark } from '../containers/record.ts';
import { removeTree } from '../removal.ts';
import type { Exec } from './exec.ts';
import type { ExecParts } from './execs.ts';
import { forgetExec, saveExec } from './store.ts';

/** The code of a process of which nobody knows how it ended. */
const unknownCode = 255;

/**
 * Finds out, once at the start, what became of the execs that ran: those that live are followed to their ends, for those that
 * ended the monitor has left the code.
 */
export function adoptExecs(parts: ExecParts): void {
  const { execs, containers, paths, bootId } = parts;
  for (const exec of execs.values()) {
    const { state, containerId, generation } = exec.record;
    if (containers.get(containerId)?.record.generation !== generation) {
      forgetExec(parts, exec, unknownCode);
      continue;
    }
    if (state !== 'starting' && state !== 'running') continue;
    const directory = paths.execOf(exec.place);
    const marks = exec.record.bootId === bootId ? marksOf(exec, directory) : undefined;
    const end = () => parts.course.ended(exec, exitCodeIn(directory, containerId) ?? unknownCode);
    if (marks === undefined) {
      end();
      continue;
    }
    saveExec(parts, exec, { state: 'running', ...marks });
    void processExit(marks.monitor).ended.then(end);
  }
  const inUse = new Set(
    [...execs.values()].filter(({ record }) => record.state === 'running').map(({ place }) => place),
  );
  for (const name of readdirSync(paths.execs)) if (!inUse.has(name)) removeTree(paths.execOf(name));
}

/** The living process and its monitor; as they were recorded, or as found after a start that was not recorded to its end. */
function marksOf(exec: Exec, directory: string): { process: ProcessMark; monitor: ProcessMark } | undefined {
  const { process, monitor } = exec.record;
  if (process && monitor) return processAlive(monitor.pid, monitor.startTime) ? { process, monitor } : undefined;
  const found = markOf(pidIn(directory));
  const parent = found && markOf(parentOf(found.pid));
  return found && parent && { process: found, monitor: parent };
}

function markOf(pid: number | undefined): ProcessMark | undefined {
  const startTime = pid === undefined ? undefined : startTimeOf(pid);
  return pid === undefined || startTime === undefined ? undefined : { pid, startTime };
}

function pidIn(directory: string): number | undefined {
  try {
    return Number.parseInt(readFileSync(join(directory, 'pid'), 'utf8'), 10);
  } catch {
    return undefined;
  }
}

function exitCodeIn(directory: string, containerId: string): number | undefined {
  try {
    const code = Number.parseInt(readFileSync(join(directory, containerId), 'utf8'), 10);
    return Number.isNaN(code) ? undefined : code;
  } catch {
    return undefined;
  }
}
