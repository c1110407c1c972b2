import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { nowNs } from '../../../kit/clock.ts';
import { messageOf } from '../../../kit/errors.ts';
import { processAlive, startTimeOf } from '../../../kit/linux/process.ts';
import type { KeyedQueue } from '../../../kit/queue.ts';
import { isFrozen } from '../cgroups/container-cgroup.ts';
import type { Hierarchies } from '../cgroups/hierarchies.ts';
import type { Container } from './container.ts';
import type { ContainerRecord, ProcessMark } from './record.ts';
import type { StartParts } from './start.ts';

export type AdoptParts = StartParts & { hierarchies: Hierarchies; queue: KeyedQueue };

/**
 * Brings what the records say together with what the kernel has, once at the start: living containers are followed on, ended
 * ones get their exit facts, starts in which an earlier life has died are finished or undone, and what is nobody's is removed.
 */
export async function adoptContainers(parts: AdoptParts): Promise<void> {
  const { containers, log, queue } = parts;
  for (const container of [...containers.values()]) {
    const id = container.record.id.slice(0, 12);
    try {
      // Behind a start that is in progress when the policy changes.
      await queue.run(container.record.id, async () => {
        if (container.record.state === 'starting') await finishOrUndo(parts, container);
        if (container.isLiving) adoptLiving(parts, container);
      });
    } catch (error) {
      log.error({ err: error, container: id }, 'cannot adopt this container');
    }
  }
  for (const stray of parts.remains.unrecorded((id) => containers.has(id))) {
    log.warn({ container: stray.id.slice(0, 12) }, 'removing what is left of an unrecorded container');
    try {
      await parts.remains.clear(stray);
    } catch (error) {
      log.error({ container: stray.id.slice(0, 12) }, `cannot remove it: ${messageOf(error)}`);
    }
  }
}

function adoptLiving(parts: AdoptParts, container: Container): void {
  const { record } = container;
  // Pids mean nothing after the kernel was started anew.
  if (record.bootId !== parts.bootId) parts.exits.giveUp(container);
  else parts.exits.settle(container);
  if (!container.isLiving) return;
  const lives = (mark: ProcessMark | undefined) => mark !== undefined && processAlive(mark.pid, mark.startTime);
  // With the monitor alive the code is still to come, even if the init has ended this moment.
  if (!lives(record.monitor) && !lives(record.init)) {
    parts.exits.giveUp(container);
    return;
  }
  const state = isFrozen(parts.hierarchies, record.terms.cgroup) ? 'paused' : 'running';
  if (state !== record.state) {
    parts.containerRecords.save({ ...record, state });
    container.record = { ...record, state };
  }
  parts.exits.follow(container);
}

/** We died between the record and its settling. If the command had been let run, it runs; otherwise nothing is to be left. */
async function finishOrUndo(parts: StartParts, container: Container): Promise<void> {
  const { record } = container;
  const { id, terms } = record;
  const init = record.bootId === parts.bootId ? initOf(parts, id) : undefined;
  const runtime = await parts.runtimes.get(terms.runtime);
  if (init === undefined || !runtime.hasStarted(id, init.pid)) {
    // Also when it has run and ended: its caller has not heard of its start, and will ask again.
    await parts.remains.clear({ id, ...terms });
    parts.containerRecords.remove(id);
    parts.containers.delete(id);
    return;
  }
  const monitorPid = parentOf(init.pid);
  const running: ContainerRecord = {
    ...record,
    state: 'running',
    init,
    monitor: monitorPid === undefined ? undefined : { pid: monitorPid, startTime: startTimeOf(monitorPid) ?? '' },
    startedNs: nowNs(),
  };
  parts.records.transaction(() => {
    parts.containerRecords.save(running);
    parts.events.append({ kind: 'started', record: running, timeNs: running.startedNs });
  });
  container.record = running;
}

function initOf(parts: StartParts, id: string): ProcessMark | undefined {
  try {
    const pid = Number.parseInt(readFileSync(join(parts.paths.bundleOf(id), 'pid'), 'utf8'), 10);
    const startTime = startTimeOf(pid);
    return startTime === undefined ? undefined : { pid, startTime };
  } catch {
    return undefined;
  }
}

/** An init's parent is its monitor: the runtime that made it has ended, and the monitor is its subreaper. */
export function parentOf(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
    return parent > 1 ? parent : undefined;
  } catch {
    return undefined;
  }
}
