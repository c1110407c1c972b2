import { messageOf } from '../../../../kit/errors.ts';
import { containerEvent } from '../container-event.ts';
import type { Lifecycle } from '../lifecycle.ts';
import type { ContainerRecord } from '../record.ts';
import { type Check, checkOf } from './check.ts';
import type { Clock } from './clock.ts';
import { type Health, judged } from './health.ts';
import { type HealthRecord, healthRecords } from './health-records.ts';
import { type Monitor, startMonitor } from './monitor.ts';
import { type Probed, runCheck } from './probe.ts';

/**
 * The health of all containers. Those that run and have a check are probed; the others are not, and Docker calls a container
 * unhealthy whose monitor has stopped, paused ones too.
 *
 * Docker begins at `starting` again when its daemon comes back to running containers, since it keeps what it knew in memory.
 * Here a change of the status is durable with its event, so it stays: a restart of ours must not look like one of the
 * container's to those who wait for `healthy`. The next probes correct what has changed meanwhile.
 */
export interface HealthMonitors {
  /** Undefined: it has no check, or has never been started. */
  of(record: ContainerRecord): Health | undefined;
  /** To be told of each change of a container's record, and of its end. */
  follow(id: string): void;
  /** Ends all probes, and keeps what is known for the next engine. */
  close(): void;
}

type Entry = HealthRecord & { monitor: Monitor | undefined };

/** `lifecycle` may still be in the making; it is asked for at the first change. */
export function openHealthMonitors(lifecycle: () => Lifecycle, clock: Clock): HealthMonitors {
  let opened: ReturnType<typeof open> | undefined;
  const entries = () => {
    opened ??= open(lifecycle());
    return opened;
  };
  let isClosed = false;
  const nowNs = () => BigInt(Math.round(clock.nowMs())) * 1_000_000n;

  const begin = (record: ContainerRecord, check: Check) => {
    const { known } = entries();
    const { id, generation } = record;
    const before = known.get(id);
    if (before?.monitor !== undefined && before.generation === generation) return;
    before?.monitor?.stop();
    const goesOn = before?.generation === generation;
    const fresh: Health = { status: 'starting', failingStreak: 0, log: before?.health.log ?? [] };
    const entry: Entry = { id, generation, health: goesOn ? before.health : fresh, monitor: undefined };
    known.set(id, entry);
    entry.monitor = monitorOf(record, check, entry);
  };

  const monitorOf = (record: ContainerRecord, check: Check, entry: Entry): Monitor => {
    let probed: Probed | undefined;
    return startMonitor({
      check,
      startedAtMs: Number(record.startedAtNs / 1_000_000n),
      clock,
      status: () => entry.health.status,
      async probe(signal) {
        probed = await runCheck(lifecycle(), record, check, { signal, nowNs });
        // Judged below, with its event; else that is all there is to tell.
        if (signal.aborted || probed.result === undefined) tell(probed);
        return probed.result;
      },
      heard(result) {
        settle(entry, judged(entry.health, result, check, record.startedAtNs), probed?.events ?? []);
      },
    });
  };

  const tell = ({ events }: Pick<Probed, 'events'>) => {
    if (!isClosed) attempt(() => lifecycle().repository.apply({ events }));
  };

  const settle = (entry: Entry, health: Health, events: Probed['events']) => {
    const { repository, now, engine } = lifecycle();
    const record = repository.get(entry.id);
    if (record === undefined) return;
    const isChange = health.status !== entry.health.status;
    const told = isChange ? [containerEvent(record, `health_status: ${health.status}`, now())] : [];
    attempt(() =>
      repository.apply({ events: [...events, ...told] }, (save) =>
        engine.records.transaction(() => {
          save();
          if (isChange) entries().saved.save({ id: entry.id, generation: entry.generation, health });
        }),
      ),
    );
    entry.health = health;
  };

  /** A record that cannot be written now, above all on a full disk, is no reason to stop probing. */
  const attempt = (work: () => void) => {
    try {
      work();
    } catch (error) {
      lifecycle().log.warn({ problem: messageOf(error) }, 'the result of a health check is not recorded');
    }
  };

  return {
    of(record) {
      return entries().known.get(record.id)?.health;
    },
    follow(id) {
      if (isClosed) return;
      const record = lifecycle().repository.get(id);
      const entry = entries().known.get(id);
      if (record === undefined) {
        if (entry === undefined) return;
        entry.monitor?.stop();
        entries().known.delete(id);
        attempt(() => entries().saved.remove(id));
        return;
      }
      if (record.status === 'running') {
        const check = checkOf(record.config);
        if (check !== undefined) begin(record, check);
        return;
      }
      if (entry === undefined) return;
      entry.monitor?.stop();
      entry.monitor = undefined;
      // While it is being stopped it is still what it was.
      if (record.status !== 'stopping') entry.health = { ...entry.health, status: 'unhealthy' };
    },
    close() {
      if (isClosed) return;
      isClosed = true;
      const { known, saved } = entries();
      for (const entry of known.values()) entry.monitor?.stop();
      attempt(() =>
        lifecycle().engine.records.transaction(() => {
          for (const entry of known.values()) if (entry.monitor !== undefined) saved.save(entry);
        }),
      );
    },
  };
}

/** What an earlier engine knew; of a container that is gone, nothing. */
function open({ engine, repository }: Lifecycle) {
  const saved = healthRecords(engine.records);
  const known = new Map<string, Entry>();
  for (const entry of saved.load()) {
    const record = repository.get(entry.id);
    if (record === undefined) {
      saved.remove(entry.id);
      continue;
    }
    const isProbed = record.status === 'running' || record.status === 'stopping';
    const health: Health = isProbed ? entry.health : { ...entry.health, status: 'unhealthy' };
    known.set(entry.id, { ...entry, health, monitor: undefined });
  }
  return { saved, known };
}
