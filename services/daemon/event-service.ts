import type {
  EventFilter,
  EventServiceImplementation,
  WatchEventsRequest,
  WatchEventsResponse,
} from '../../proto/gen/longshore/daemon/v1/event.ts';
import type { EngineEvent } from './events/event-log.ts';
import type { Events } from './events/events.ts';
import { matches } from './events/filter.ts';

export function eventService(events: Events): EventServiceImplementation {
  return {
    watchEvents: (request, { signal }) => watchEvents(events, request, signal),
  };
}

const standing: WatchEventsResponse = { cursor: 0, type: '', action: '', actorId: '', attributes: {}, timeNs: 0n };

async function* watchEvents(
  events: Events,
  request: WatchEventsRequest,
  signal: AbortSignal,
): AsyncGenerator<WatchEventsResponse, void> {
  const { sinceNs, untilNs, filter } = request;
  const from = request.after > 0 ? request.after : sinceNs > 0n ? events.before(sinceNs) : events.cursor;
  const wanted = (event: EngineEvent) => event.timeNs >= sinceNs && matches(filter as EventFilter | undefined, event);
  const leftMs = untilNs === 0n ? undefined : Number(untilNs / 1_000_000n) - Date.now();

  yield standing;
  let seen = from;
  const end = new AbortController();
  // Longer than a timer can be set for is longer than anyone waits.
  const timer =
    leftMs === undefined ? undefined : setTimeout(() => end.abort(), Math.max(0, Math.min(leftMs, 2 ** 31 - 1)));
  try {
    for await (const { cursor, event } of events.after(from, AbortSignal.any([signal, end.signal]))) {
      if (untilNs > 0n && event.timeNs > untilNs) break;
      if (wanted(event)) yield { cursor, ...event };
      seen = cursor;
    }
  } finally {
    clearTimeout(timer);
  }
  // The time is up, and what was kept may not have been read to the end.
  for (const { cursor, event } of signal.aborted ? [] : events.kept(seen)) {
    if (event.timeNs <= untilNs && wanted(event)) yield { cursor, ...event };
  }
}
