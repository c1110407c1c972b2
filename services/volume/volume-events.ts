import type { Records } from '../../kit/records.ts';
import { createSequence, type Sequence } from '../../kit/watch.ts';
import { WatchVolumesResponse } from '../../proto/gen/longshore/volume/v1/volume.ts';

export interface VolumeEvent {
  /** Docker's word: create, mount, unmount, destroy. */
  action: string;
  name: string;
  attributes: Record<string, string>;
  timeNs: bigint;
}

/** In memory too: so many does a coordinator that was away get to see. */
const kept = 1000;
/** Old rows go in lots, not one at each event. */
const lot = 100;

/** The events of all volumes, durable: an event is written in the transaction that settles what it tells of. */
export function openVolumeEvents(records: Records): Sequence<VolumeEvent> {
  return createSequence<VolumeEvent>({
    keep: kept,
    saved: {
      load: () =>
        records
          .prepare('SELECT cursor, event FROM (SELECT * FROM event ORDER BY cursor DESC LIMIT ?) ORDER BY cursor')
          .all(kept)
          .map((row) => {
            const bytes = row.event instanceof Uint8Array ? row.event : new Uint8Array();
            const { action, name, attributes, timeNs } = WatchVolumesResponse.decode(bytes);
            return { cursor: Number(row.cursor), event: { action, name, attributes, timeNs } };
          }),
      save(cursor, event) {
        const bytes = WatchVolumesResponse.encode(WatchVolumesResponse.fromPartial(event)).finish();
        records.prepare('INSERT INTO event VALUES (?, ?)').run(cursor, bytes);
        if (cursor % lot === 0) records.prepare('DELETE FROM event WHERE cursor <= ?').run(cursor - kept);
      },
    },
  });
}
