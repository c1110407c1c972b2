import { constants } from 'node:os';
import { nowNs } from '../../../kit/clock.ts';
import type { KeyedQueue } from '../../../kit/queue.ts';
import { isFrozen, setFrozen, signalAll } from '../cgroups/container-cgroup.ts';
import type { Hierarchies } from '../cgroups/hierarchies.ts';
import { errors } from '../errors.ts';
import type { ReadyMonitors } from '../execs/ready-monitors.ts';
import type { Forwarding } from '../logs/forward/forwarding.ts';
import type { LogRemoval } from '../logs/removal.ts';
import type { Container } from './container.ts';
import type { ContainerRecord, ExitFact } from './record.ts';
import { checkSignal, signalMarked } from './signal.ts';
import { type Settle, type StartParts, type StartRequest, startContainer } from './start.ts';

export type Outcome = 'done' | 'already' | 'absent';

/** The verbs on containers. Mutations of one container run one after the other; reads and waits queue never. */
export interface ExecDriver {
  start(request: StartRequest, settle: Settle): Promise<{ outcome: Outcome; record: ContainerRecord }>;
  signal(id: string, signal: number, all: boolean): Promise<Outcome>;
  pause(id: string): Promise<Outcome>;
  resume(id: string): Promise<Outcome>;
  /** Waits for the exit of a generation; 0: the newest. */
  wait(id: string, generation: number, signal: AbortSignal): Promise<{ fact: ExitFact; generation: number }>;
  remove(id: string, keepLogs: boolean): Promise<Outcome>;
  /** Throws CONTAINER_NOT_FOUND. */
  get(id: string): Container;
  list(): Container[];
}

type Parts = StartParts & {
  hierarchies: Hierarchies;
  queue: KeyedQueue;
  cgroupHome: string;
  forwarding: Forwarding;
  readyMonitors: ReadyMonitors;
  logRemoval: LogRemoval;
};

export function openExecDriver(parts: Parts): ExecDriver {
  const { containers, hierarchies, queue } = parts;
  let started = Promise.withResolvers<void>();
  /** To be dead before long: a pause must not keep them from it. */
  const killed = new WeakSet<Container>();

  const get = (id: string): Container => {
    const container = containers.get(id);
    if (container === undefined) throw errors.containerNotFound({ id });
    return container;
  };

  const start: ExecDriver['start'] = async (request, settle) => {
    const { id, generation } = request;
    const known = containers.get(id);
    // One whose failed start could not be cleared is cleared now, as the one before.
    if (known && known.record.state !== 'starting') {
      const { record } = known;
      const newest = record.generation;
      if (generation < newest) throw errors.staleGeneration({ id, generation, newest });
      if (generation === newest) return { outcome: 'already', record };
      if (known.isLiving) throw errors.running({ id });
    }
    await startContainer(parts, request, settle);
    parts.forwarding.follow(get(id));
    started.resolve();
    started = Promise.withResolvers();
    return { outcome: 'done', record: get(id).record };
  };

  const change = async (id: string, to: 'running' | 'paused'): Promise<Outcome> => {
    const container = get(id);
    if (!container.isLiving) throw errors.notRunning({ id });
    if (container.record.state === to) return 'already';
    // What is frozen could not end until it is thawed, and it is no part of the container.
    if (to === 'paused') await parts.readyMonitors.drop(id);
    await setFrozen(hierarchies, container.record.terms.cgroup, to === 'paused');
    // It may have ended while it was being frozen.
    if (!container.isLiving) throw errors.notRunning({ id });
    if (to === 'paused' && killed.has(container)) {
      // Killed meanwhile, and frozen before it could die of it.
      await setFrozen(hierarchies, container.record.terms.cgroup, false);
      throw errors.notRunning({ id });
    }
    const record = { ...container.record, state: to };
    parts.records.transaction(() => {
      parts.containerRecords.save(record);
      const kind = to === 'paused' ? 'paused' : 'resumed';
      parts.events.append({ kind, record, timeNs: nowNs() });
    });
    container.record = record;
    return 'done';
  };

  const remove = async (id: string, keepLogs: boolean): Promise<Outcome> => {
    const container = containers.get(id);
    if (container?.isLiving) throw errors.running({ id });
    const terms = container?.record.terms ?? { runtime: '', cgroup: `${parts.cgroupHome}/${id}` };
    // The record goes last: until then a repeat, or the next life, finds what is left.
    if (container?.isCleared !== true) await parts.remains.clear({ id, ...terms });
    container?.disconnectWhenDelivered();
    if (!keepLogs) await parts.forwarding.finish(id);
    if (!keepLogs) parts.logRemoval.remove(id);
    parts.containerRecords.remove(id);
    containers.delete(id);
    parts.onForgotten(id);
    if (!keepLogs) {
      parts.attachments.failWaiting(id, errors.containerNotFound({ id }));
    }
    return container ? 'done' : 'absent';
  };

  return {
    get,
    list: () => [...containers.values()],
    start: (request, settle) => queue.run(request.id, () => start(request, settle)),
    pause: (id) => queue.run(id, () => change(id, 'paused')),
    resume: (id) => queue.run(id, () => change(id, 'running')),
    remove: (id, keepLogs) => queue.run(id, () => remove(id, keepLogs)),

    // Not queued: a kill must not wait for a start or a pause that hangs.
    async signal(id, signal, all) {
      const container = containers.get(id);
      checkSignal(signal);
      if (signal === constants.signals.SIGKILL && container?.abandon !== undefined) {
        container.abandon();
        return 'done';
      }
      if (!container?.isLiving) return 'absent';
      const { init, terms } = container.record;
      if (signal === constants.signals.SIGKILL) killed.add(container);
      const told = all
        ? signalAll(hierarchies, terms.cgroup, signal) > 0
        : init !== undefined && signalMarked(init, signal);
      if (!told) return 'absent';
      // A frozen process of version 1 does not even die, whoever has frozen it.
      if (signal === constants.signals.SIGKILL && isFrozen(hierarchies, terms.cgroup)) {
        await setFrozen(hierarchies, terms.cgroup, false);
      }
      return 'done';
    },

    async wait(id, generation, signal) {
      signal.throwIfAborted();
      const aborted = new Promise<never>((_, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason), { once: true });
      });
      // Nobody may be listening by then.
      aborted.catch(() => {});
      for (;;) {
        const next = started.promise;
        const container = get(id);
        const newest = container.record.generation;
        if (generation !== 0 && newest > generation) throw errors.staleGeneration({ id, generation, newest });
        if (generation === 0 || newest === generation) {
          return { fact: await Promise.race([container.ended, aborted]), generation: newest };
        }
        await Promise.race([next, aborted]);
      }
    },
  };
}
