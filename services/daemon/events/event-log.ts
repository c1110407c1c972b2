import type { Records } from '../../../kit/records.ts';
import { createSequence, type Entry } from '../../../kit/watch.ts';
import { WatchEventsResponse } from '../../../proto/gen/longshore/daemon/v1/event.ts';

/** Something that happened, in Docker's words. */
export interface EngineEvent {
  /** container, image, volume, network or daemon. */
  type: string;
  action: string;
  actorId: string;
  attributes: { [key: string]: string };
  timeNs: bigint;
}

/** What happened in the engine, in one order. The last 10,000 outlive a restart. */
export interface EventLog {
  /** The newest event's. */
  readonly cursor: number;
  /** Writes events in the present transaction; the function given back shows them, and is called once it is committed. */
  record(events: readonly EngineEvent[]): () => void;
  /** What comes after `cursor`, then what is to come, until the signal aborts. CURSOR_GONE. */
  after(cursor: number, signal: AbortSignal): AsyncIterable<Entry<EngineEvent>>;
  /** What is kept after `cursor`, and no more than that. */
  kept(cursor: number): Iterable<Entry<EngineEvent>>;
  /** The cursor to begin after, to see what happened at `timeNs` and later. */
  before(timeNs: bigint): number;
}

const keptEvents = 10_000;
/** Held in memory; readers that are further behind read from disk. */
const heldEvents = 1_000;
const pageRows = 500;
const sweepEvery = 256;

export function openEventLog(records: Records): EventLog {
  const sequence = createSequence<EngineEvent>({
    keep: heldEvents,
    saved: { load: () => page(newestFrom(records, heldEvents), heldEvents), save: () => undefined },
  });

  function page(after: number, rows: number): Entry<EngineEvent>[] {
    return records
      .prepare('SELECT cursor, event FROM event WHERE cursor > ? ORDER BY cursor LIMIT ?')
      .all(after, rows)
      .map((row) => ({ cursor: Number(row['cursor']), event: decode(row['event']) }));
  }
  function* kept(cursor: number): Generator<Entry<EngineEvent>> {
    for (let rows = page(cursor, pageRows); rows.length > 0; rows = page(rows.at(-1)?.cursor ?? 0, pageRows))
      yield* rows;
  }
  async function* after(cursor: number, signal: AbortSignal): AsyncGenerator<Entry<EngineEvent>, void, undefined> {
    let seen = cursor;
    while (!signal.aborted) {
      const rows = seen < sequence.oldest ? page(seen, pageRows) : [];
      if (rows[0]?.cursor === seen + 1) {
        for (const entry of rows) {
          if (signal.aborted) return;
          yield entry;
          seen = entry.cursor;
        }
        continue;
      }
      for await (const entry of sequence.watch(seen, signal)) {
        yield entry;
        seen = entry.cursor;
        // A reader that has become slow goes on from disk.
        if (seen < sequence.oldest) break;
      }
    }
  }

  return {
    get cursor() {
      return sequence.cursor;
    },
    record(events) {
      let cursor = sequence.cursor;
      for (const event of events) {
        cursor += 1;
        const encoded = WatchEventsResponse.encode({ cursor, ...event }).finish();
        records.prepare('INSERT INTO event VALUES (?, ?, ?)').run(cursor, event.timeNs, encoded);
        if (cursor % sweepEvery === 0) records.prepare('DELETE FROM event WHERE cursor <= ?').run(cursor - keptEvents);
      }
      return () => {
        for (const event of events) sequence.append(event);
      };
    },
    after,
    kept,
    before(timeNs) {
      const row = records.prepare('SELECT min(cursor) AS first FROM event WHERE time_ns >= ?').get(timeNs);
      const first = row?.['first'];
      return typeof first === 'number' ? first - 1 : sequence.cursor;
    },
  };
}

function newestFrom(records: Records, rows: number): number {
  const row = records
    .prepare('SELECT min(cursor) AS first FROM (SELECT cursor FROM event ORDER BY cursor DESC LIMIT ?)')
    .get(rows);
  return Number(row?.['first'] ?? 1) - 1;
}

function decode(bytes: unknown): EngineEvent {
  const { cursor: _, ...event } = WatchEventsResponse.decode(bytes instanceof Uint8Array ? bytes : new Uint8Array());
  return event;
}
