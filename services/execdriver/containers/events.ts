import type { Records } from '../../../kit/records.ts';
import { createSequence, type Sequence } from '../../../kit/watch.ts';
import { type ContainerRecord, decode, encode } from './record.ts';

export type EventKind = 'started' | 'exited' | 'oom' | 'paused' | 'resumed';

export interface ContainerEvent {
  kind: EventKind;
  /** As it was right after. */
  record: ContainerRecord;
  timeNs: bigint;
}

/** So many outlive a restart: a coordinator that was down meanwhile gets each of them once. */
const kept = 1000;

export function openEvents(records: Records): Sequence<ContainerEvent> {
  return createSequence<ContainerEvent>({
    keep: kept,
    saved: {
      load: () =>
        records
          .prepare('SELECT cursor, event FROM event ORDER BY cursor')
          .all()
          .map((row) => ({ cursor: Number(row.cursor), event: decode<ContainerEvent>(String(row.event)) })),
      save(cursor, event) {
        records.prepare('INSERT INTO event (cursor, event) VALUES (?, ?)').run(cursor, encode(event));
        records.prepare('DELETE FROM event WHERE cursor <= ?').run(cursor - kept);
      },
    },
  });
}
