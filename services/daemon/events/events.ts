import { detached } from '../../../kit/rpc/call.ts';
import type { Engine } from '../daemon.ts';
import { type EngineEvent, type EventLog, openEventLog } from './event-log.ts';
import { follow } from './owner-watch.ts';
import { eventOwners } from './owners.ts';
import { watchCursors } from './watch-cursors.ts';

/** The engine's events: containers' from the daemon's own records, the others' merged in from their owners. */
export interface Events extends Omit<EventLog, 'record'> {
  /** As EventLog's; what the owners told meanwhile goes first. */
  record(events: readonly EngineEvent[]): () => void;
  /** Ends the watches of the owners; what they told is written. */
  close(): Promise<void>;
}

/** Owners' events that come close together are one commit. */
const gatherMs = 5;

/** Begins to follow the owners at once. To be called when they are initialised. */
export function openEvents(engine: Pick<Engine, 'records' | 'clients' | 'log'>): Events {
  const { records, log } = engine;
  const eventLog = openEventLog(records);
  const cursors = watchCursors(records);
  const ended = new AbortController();

  let gathered: { owner: string; cursor: number; event: EngineEvent }[] = [];
  let timer: NodeJS.Timeout | undefined;
  const record = (events: readonly EngineEvent[]): (() => void) => {
    const told = gathered;
    for (const { owner, cursor } of told) cursors.save(owner, cursor);
    const show = eventLog.record([...told.map(({ event }) => event), ...events]);
    return () => {
      gathered = gathered.slice(told.length);
      show();
    };
  };
  const flush = () => {
    clearTimeout(timer);
    timer = undefined;
    if (gathered.length > 0) records.transaction(() => record([]))();
  };

  const watches = detached(() =>
    eventOwners(engine.clients).map(({ owner, open }) => {
      const from = cursors.get(owner);
      return follow(
        {
          owner,
          open,
          from,
          standing(latest) {
            if (cursors.get(owner) === undefined) cursors.save(owner, latest);
          },
          happened({ cursor, event }) {
            gathered.push({ owner, cursor, event });
            timer ??= setTimeout(flush, gatherMs);
          },
          gap: () => cursors.forget(owner),
        },
        log,
        ended.signal,
      );
    }),
  );

  return {
    get cursor() {
      return eventLog.cursor;
    },
    record,
    after: eventLog.after,
    kept: eventLog.kept,
    before: eventLog.before,
    async close() {
      ended.abort();
      await Promise.all(watches);
      flush();
    },
  };
}
