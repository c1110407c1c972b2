import { readFileSync, statSync, watch } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { nowNs } from '../../../kit/clock.ts';
import { hasCode } from '../../../kit/linux/system-error.ts';
import type { Logger } from '../../../kit/log.ts';
import type { Records } from '../../../kit/records.ts';
import type { Sequence } from '../../../kit/watch.ts';
import { oomKills, signalAll } from '../cgroups/container-cgroup.ts';
import type { Hierarchies } from '../cgroups/hierarchies.ts';
import type { Paths } from '../paths.ts';
import type { Container } from './container.ts';
import type { ContainerEvent } from './events.ts';
import { watchOom } from './oom-watch.ts';
import { processExit } from './process-exit.ts';
import type { ContainerRecords, ExitFact, ProcessMark } from './record.ts';
import type { Remains } from './remains.ts';

/** As Docker answers for a container of which nobody knows how it ended. */
const unknownCode = 255;

const sigkill = 9;

const retryMs = 1000;

const oomCountedMs = [5, 20, 100, 500, 2000];

/**
 * Learns how containers end. The monitor writes the code into a file; when it has done so, all output is in the log and has
 * been sent to whom it is attached. An exit fact is durable before anybody hears of it.
 */
export interface Exits {
  /** Looks whether a running container has ended. */
  settle(container: Container): void;
  /** Watches a running container until it ends, also when its monitor is lost. */
  follow(container: Container): void;
  /** Records the end of a container of which nothing can be learnt any more. */
  giveUp(container: Container): void;
  close(): void;
}

export function watchExits(parts: {
  containers: ReadonlyMap<string, Container>;
  records: Records;
  containerRecords: ContainerRecords;
  events: Sequence<ContainerEvent>;
  paths: Paths;
  hierarchies: Hierarchies;
  remains: Pick<Remains, 'dropExitFile'>;
  log: Logger;
  /** Called when everybody has been told. */
  onEnded: (container: Container) => void;
}): Exits {
  const { containers, records, containerRecords, events, paths, hierarchies, log } = parts;
  const following = new Map<Container, () => void>();
  let isClosed = false;

  const record = (container: Container, end: Omit<ExitFact, 'oomKilled'>) => {
    following.get(container)?.();
    following.delete(container);
    const { init: _, ...rest } = container.record;
    const kills = oomKills(hierarchies, rest.terms.cgroup);
    const fact = { ...end, oomKilled: Math.max(kills, rest.oomKills) > 0 };
    const ended = { ...rest, state: 'exited' as const, init: undefined, exit: fact, oomKills: kills };
    records.transaction(() => {
      containerRecords.save(ended);
      if (kills > rest.oomKills) events.append({ kind: 'oom', record: ended, timeNs: fact.timeNs });
      events.append({ kind: 'exited', record: ended, timeNs: fact.timeNs });
    });
    container.record = ended;
    parts.remains.dropExitFile(ended.id);
    // With its init the kernel has ended all of a pid namespace, pid_namespaces(7), but not what lives in that of others.
    if (ended.terms.sharesPids !== false) signalAll(hierarchies, ended.terms.cgroup, sigkill);
    log.debug({ container: ended.id.slice(0, 12), code: fact.code, oomKilled: fact.oomKilled }, 'exited');
    container.end(fact);
    parts.onEnded(container);
  };

  /** A disk that is full, above all, is no reason to lose an end: it is tried again until it can be recorded. */
  const persist = (container: Container, work: () => void) => {
    if (isClosed || !container.isLiving) return;
    try {
      work();
    } catch (error) {
      log.error({ err: error, container: container.record.id.slice(0, 12) }, 'cannot record an end; trying again');
      setTimeout(() => persist(container, work), retryMs).unref();
    }
  };

  const recordFound = (container: Container) => {
    const file = readExitFile(paths.exitFileOf(container.record.id));
    if (file) record(container, { ...file, unknown: false });
    return file !== undefined;
  };

  const settle = (container: Container) => persist(container, () => recordFound(container));

  const giveUp = (container: Container) =>
    persist(container, () => {
      if (!recordFound(container)) record(container, { code: unknownCode, timeNs: nowNs(), unknown: true });
    });

  /** False: no more have been killed than is known. */
  const tellOom = (container: Container): boolean => {
    const kills = oomKills(hierarchies, container.record.terms.cgroup);
    if (!container.isLiving) return true;
    if (kills <= container.record.oomKills) return false;
    const told = { ...container.record, oomKills: kills };
    try {
      records.transaction(() => {
        containerRecords.save(told);
        events.append({ kind: 'oom', record: told, timeNs: nowNs() });
      });
      container.record = told;
    } catch (error) {
      // The end of the container tells it, at the latest.
      log.error({ err: error, container: told.id.slice(0, 12) }, 'cannot record that it is out of memory');
    }
    return true;
  };

  /** The kernel gives notice before it looks for whom to kill, and counts when it has done so. */
  const tellOomSoon = async (container: Container) => {
    for (const waitMs of oomCountedMs) {
      if (isClosed || tellOom(container)) return;
      await delay(waitMs, undefined, { ref: false });
    }
  };

  const follow = (container: Container) => {
    following.get(container)?.();
    const { init, monitor } = container.record;
    let stop = () => {};
    const { id, terms } = container.record;
    const stopOom = terms.limitsMemory ? watchOom(paths.bundleOf(id), () => void tellOomSoon(container)) : () => {};
    following.set(container, () => {
      stop();
      stopOom();
    });
    if (terms.limitsMemory) void tellOomSoon(container);
    const until = async (process: ProcessMark | undefined) => {
      if (process === undefined) return;
      const exit = processExit(process);
      stop = exit.stop;
      await exit.ended;
    };
    const isOurs = () => container.isLiving && container.record.init === init;
    void (async () => {
      await until(monitor);
      settle(container);
      if (!isOurs() || !following.has(container)) return;
      log.warn({ container: container.record.id.slice(0, 12) }, 'the monitor of a running container is gone');
      await until(init);
      if (isOurs() && following.has(container)) giveUp(container);
    })();
  };

  const watcher = watch(paths.exits, (_, name) => {
    const container = name === null ? undefined : containers.get(name);
    if (container) settle(container);
    // Too many events at once: some were lost.
    if (name === null) for (const each of containers.values()) settle(each);
  });
  watcher.on('error', (error) => log.error({ err: error }, 'cannot watch the exit directory'));

  return {
    settle,
    follow,
    giveUp,
    close() {
      isClosed = true;
      watcher.close();
      for (const stop of following.values()) stop();
      following.clear();
    },
  };
}

/** The monitor renames it into place, so it is whole. */
function readExitFile(path: string): { code: number; timeNs: bigint } | undefined {
  try {
    const code = Number.parseInt(readFileSync(path, 'utf8'), 10);
    if (Number.isNaN(code)) return undefined;
    return { code, timeNs: statSync(path, { bigint: true }).mtimeNs };
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}
