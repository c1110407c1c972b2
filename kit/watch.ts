import { defineErrors } from './errors.ts';

const errors = defineErrors('kit', {
  cursorGone: {
    code: 'OUT_OF_RANGE',
    message: (m: { cursor: number; oldest: number }) =>
      `events after cursor ${m.cursor} are no longer kept (the oldest kept is ${m.oldest}): take a new snapshot and watch from there`,
  },
});

export interface Entry<T> {
  cursor: number;
  event: T;
}

/**
 * Ordered events, each with a *cursor*: a number that grows by one and never comes twice, across restarts too. The last
 * `keep` are held. A reader takes `cursor`, then its snapshot, then watches from there: nothing is missed.
 */
export interface Sequence<T> {
  /** The newest event's cursor. */
  readonly cursor: number;
  /** The oldest cursor that a watch may start after. */
  readonly oldest: number;
  append(event: T): number;
  /**
   * The events after `after` (undefined: after now), then those to come, until the signal aborts.
   * A reader that falls behind what is kept gets OUT_OF_RANGE, CURSOR_GONE; it alone.
   */
  watch(after: number | undefined, signal: AbortSignal): AsyncIterable<Entry<T>>;
}

/** Where events outlive the process. */
export interface SavedEvents<T> {
  /** The last ones, oldest first, without holes. */
  load(): Entry<T>[];
  /** Called before the event is shown to anyone; deleting what is too old is the keeper's own affair. */
  save(cursor: number, event: T): void;
}

export function createSequence<T>(options: { keep?: number; saved?: SavedEvents<T> } = {}): Sequence<T> {
  const keep = options.keep ?? 10_000;
  const loaded = options.saved?.load().slice(-keep) ?? [];
  // Without a saved end the sequence begins at the present time, far above what an earlier process can have given out,
  // so that its cursors are recognised as gone. Microseconds stay below 2^53 until the year 2255.
  let last = loaded.at(-1)?.cursor ?? Date.now() * 1000;
  let first = loaded[0]?.cursor ?? last + 1;
  const ring = new Map<number, T>(loaded.map((entry) => [entry.cursor, entry.event]));
  let more = Promise.withResolvers<void>();

  const wakeReaders = () => {
    const waiting = more;
    more = Promise.withResolvers();
    waiting.resolve();
  };

  async function* follow(after: number, signal: AbortSignal): AsyncGenerator<Entry<T>, void, undefined> {
    signal.addEventListener('abort', wakeReaders, { once: true });
    try {
      let next = after + 1;
      while (!signal.aborted) {
        if (next > last) {
          await more.promise;
          continue;
        }
        const event = ring.get(next);
        if (event === undefined && !ring.has(next)) throw errors.cursorGone({ cursor: next - 1, oldest: first - 1 });
        yield { cursor: next, event: event as T };
        next += 1;
      }
    } finally {
      signal.removeEventListener('abort', wakeReaders);
    }
  }

  return {
    get cursor() {
      return last;
    },
    get oldest() {
      return first - 1;
    },
    append(event) {
      const cursor = last + 1;
      options.saved?.save(cursor, event);
      last = cursor;
      ring.set(cursor, event);
      while (ring.size > keep) ring.delete(first++);
      wakeReaders();
      return cursor;
    },
    watch(after, signal) {
      const from = after ?? last;
      if (from < first - 1 || from > last) throw errors.cursorGone({ cursor: from, oldest: first - 1 });
      return follow(from, signal);
    },
  };
}
