import type { Records } from '../../../kit/records.ts';
import { createSequence, type Sequence } from '../../../kit/watch.ts';
import { decode, encode } from '../containers/record.ts';
import type { ExecRecord } from './record.ts';

export interface ExecEvent {
  kind: 'created' | 'started' | 'exited';
  /** As it was right after. */
  record: ExecRecord;
  timeNs: bigint;
}

/** So many outlive a restart: a coordinator that was down meanwhile gets each of them once. */
const kept = 1000;

export function openExecEvents(records: Records): Sequence<ExecEvent> {
  return createSequence<ExecEvent>({
    keep: kept,
    saved: {
      load: () =>
        records
          .prepare('SELECT cursor, event FROM exec_event ORDER BY cursor')
          .all()
          .map((row) => ({ cursor: Number(row.cursor), event: decode<ExecEvent>(String(row.event)) })),
      save(cursor, event) {
        records.prepare('INSERT INTO exec_event (cursor, event) VALUES (?, ?)').run(cursor, encode(event));
        records.prepare('DELETE FROM exec_event WHERE cursor <= ?').run(cursor - kept);
      },
    },
  });
}
