import { createSequence, type Entry, type Sequence } from '../kit/watch.ts';

/** Events that survive a crash: part of a fake's memory. */
export type EventMemory<T> = Entry<T>[];

const kept = 10_000;

/** The sequence over what is in memory. Its cursors go on after a restart. */
export function openEvents<T>(memory: EventMemory<T>, keep = kept): Sequence<T> {
  return createSequence<T>({
    keep,
    saved: {
      load: () => [...memory],
      save(cursor, event) {
        memory.push({ cursor, event });
        if (memory.length > keep) memory.shift();
      },
    },
  });
}

/** A watch as all contracts have it: first a message that says it stands, then the events after the cursor. */
export async function* watched<T extends object>(
  events: Sequence<T>,
  after: number,
  signal: AbortSignal,
): AsyncGenerator<Partial<T> & { cursor: number; latest: number }, void> {
  const changes = events.watch(after === 0 ? events.cursor : after, signal);
  yield { cursor: 0, latest: events.cursor } as Partial<T> & { cursor: number; latest: number };
  for await (const { cursor, event } of changes) yield { ...event, cursor, latest: events.cursor };
}

/** Nanoseconds since 1970. */
export function nowNs(): bigint {
  return BigInt(Date.now()) * 1_000_000n;
}
