import { closeSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { hasCode } from '../../../kit/linux/system-error.ts';
import { enterAll, openEntrance } from './entrances.ts';
import type { Hierarchies } from './hierarchies.ts';

/**
 * The cgroup of the monitors, in every hierarchy: whoever ends our own cgroup, as a container engine or a service manager
 * does that runs this service, must not end them.
 */
export interface MonitorCgroup {
  /** Moves a process in, unless it is closed. What fails is told, not thrown: the container can do without. */
  add(pid: number): Promise<string[]>;
  close(): void;
}

export function openMonitorCgroup(hierarchies: Hierarchies, cgroup: string): MonitorCgroup {
  const entrances = hierarchies.all.flatMap(({ root }) => {
    const directory = `${root}${cgroup}`;
    mkdirSync(directory, { recursive: true });
    if (hierarchies.directoryOf('cpuset', cgroup) === directory) passDownCpuset(root, directory);
    return [openEntrance(directory)];
  });
  let isClosed = false;
  let adding = 0;
  // Not under the hands of one who writes: the numbers would be other files' by then.
  const closeIfIdle = () => {
    if (isClosed && adding === 0) for (const { descriptor } of entrances.splice(0)) closeSync(descriptor);
  };
  return {
    async add(pid) {
      adding++;
      try {
        return await enterAll(entrances, pid);
      } finally {
        adding--;
        closeIfIdle();
      }
    },
    close() {
      isClosed = true;
      closeIfIdle();
    },
  };
}

/** A version 1 cpuset without CPUs takes no process, and begins empty: it is filled level by level from its parent's. */
function passDownCpuset(root: string, directory: string): void {
  if (directory === root) return;
  const parent = dirname(directory);
  passDownCpuset(root, parent);
  for (const file of ['cpuset.cpus', 'cpuset.mems']) {
    try {
      if (readFileSync(`${directory}/${file}`, 'utf8').trim() !== '') continue;
      writeFileSync(`${directory}/${file}`, readFileSync(`${parent}/${file}`, 'utf8'));
    } catch (error) {
      if (!hasCode(error, 'ENOENT', 'EACCES')) throw error;
    }
  }
}
