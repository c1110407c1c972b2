import type { EventServiceImplementation } from '../../proto/gen/longshore/graph/v1/event.ts';
import { eventMessage } from './messages.ts';
import type { EventLog } from './records/events.ts';

/** What happens to images, to those who watch. */
export function eventService({ sequence }: EventLog): EventServiceImplementation {
  return {
    async *watchImages({ after }, { signal }) {
      const events = sequence.watch(after === 0 ? undefined : after, signal);
      yield { cursor: 0, latest: sequence.cursor };
      for await (const { cursor, event } of events) yield eventMessage(cursor, event, sequence.cursor);
    },
  };
}
