import { detached } from '../../../kit/rpc/call.ts';
import type { Engine } from '../daemon.ts';
import { type EngineEvent, type EventLog, openEventLog } from './event-log.ts';
import { follow } from './owner-watch.ts';
import { eventOwners } from './owners.ts';

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
  const ended = new AbortController();

  let gathered: { owner: string; cursor: number; event: EngineEvent }[] = [];
  let timer: NodeJS.Timeout | undefined;
  const record = (events: readonly EngineEvent[]): (() => void) => {
    const told = gathered;
    for (const { owner, cursor } of told) saveCursor(owner, cursor);
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

  function saveCursor(owner: string, cursor: number): void {
    records.prepare('INSERT OR REPLACE INTO watch VALUES (?, ?)').run(owner, cursor);
  }
  const savedCursor = (owner: string): number | undefined => {
    const row = records.prepare('SELECT cursor FROM watch WHERE owner = ?').get(owner);
    return row === undefined ? undefined : Number(row['cursor']);
  };

  const watches = detached(() =>
    eventOwners(engine.clients).map(({ owner, open }) => {
      const from = savedCursor(owner);
      return follow(
        {
          owner,
          open,
          from,
          standing(latest) {
            if (savedCursor(owner) === undefined) saveCursor(owner, latest);
          },
          happened({ cursor, event }) {
            gathered.push({ owner, cursor, event });
            timer ??= setTimeout(flush, gatherMs);
          },
          gap() {
            records.prepare('DELETE FROM watch WHERE owner = ?').run(owner);
          },
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
