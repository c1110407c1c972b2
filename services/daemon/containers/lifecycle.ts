import { nowNs } from '../../../kit/clock.ts';
import type { Logger } from '../../../kit/log.ts';
import type { KeyedQueue } from '../../../kit/queue.ts';
import type { ContainerProcess } from '../../../proto/gen/longshore/execdriver/v1/process.ts';
import type { Engine } from '../daemon.ts';
import { errors } from '../errors.ts';
import type { Creations } from './creations.ts';
import type { HealthMonitors } from './health/monitors.ts';
import type { FilesLease } from './open-files.ts';
import type { ContainerRecord } from './record.ts';
import type { Repository } from './repository.ts';
import type { Waits } from './waits.ts';

/** What the verbs share: the records, one queue a container, those who wait, and what is only true while the engine runs. */
export interface Lifecycle {
  readonly engine: Engine;
  readonly log: Logger;
  readonly repository: Repository;
  /** By container id: its mutations run one after the other. */
  readonly queue: KeyedQueue;
  readonly waits: Waits;
  readonly health: HealthMonitors;
  /** Nanoseconds since 1970; each later than the one before. */
  readonly now: () => bigint;
  /** Names of containers that are being made, and their ids. */
  readonly reservedNames: Map<string, string>;
  readonly creations: Creations;
  /** The generation whose sandbox, mounts and volumes may still be there. */
  readonly held: Map<string, number>;
  /** Exits that came before their start was recorded. */
  readonly earlyExits: Map<string, ContainerProcess>;
  /** While restore compares records with what lives: exits told meanwhile, which are newer than what it compares with. */
  heldExits: ContainerProcess[] | undefined;
  /** Signals that are being sent: an exit is told after the signal that caused it. */
  readonly signalling: Map<string, Promise<unknown>>;
  /** Restarts by policy that wait for their time. */
  readonly restartTimers: Map<string, NodeJS.Timeout>;
  /** Work that must not run twice at once, by its name. */
  readonly underWay: Map<string, Promise<unknown>>;
  /** By container id: who reads or writes its files now. */
  readonly filesLeases: Map<string, Set<FilesLease>>;
  /** The engine is shutting down: nothing starts any more. */
  isEnding: boolean;
}

/** The record as it is now. CONTAINER_NOT_FOUND when it has gone meanwhile. */
export function present(lifecycle: Lifecycle, id: string): ContainerRecord {
  const record = lifecycle.repository.get(id);
  if (record === undefined) throw errors.containerNotFound({ container: id });
  return record;
}

/** Joins the work of this name when it runs already. */
export function joined<T>(lifecycle: Lifecycle, name: string, work: () => Promise<T>): Promise<T> {
  const running = lifecycle.underWay.get(name) as Promise<T> | undefined;
  if (running !== undefined) return running;
  const started = work().finally(() => lifecycle.underWay.delete(name));
  lifecycle.underWay.set(name, started);
  return started;
}

export function createClock(): () => bigint {
  let last = 0n;
  return () => {
    const now = nowNs();
    last = now > last ? now : last + 1n;
    return last;
  };
}
