import type { Records } from '../../kit/records.ts';
import { createSequence, type Sequence } from '../../kit/watch.ts';
import { WatchNetworksResponse } from '../../proto/gen/longshore/network/v1/network.ts';

export interface NetworkEvent {
  /** Docker's word: connect, disconnect, create, destroy. */
  action: string;
  networkId: string;
  attributes: Record<string, string>;
  timeNs: bigint;
}

/** In memory too: so many does a coordinator that was away get to see. */
const kept = 1000;
/** Old rows go in lots, not one at each event. */
const lot = 100;

/** The events of all networks, durable: an event is written in the transaction that settles what it tells of. */
export function openNetworkEvents(records: Records): Sequence<NetworkEvent> {
  return createSequence<NetworkEvent>({
    keep: kept,
    saved: {
      load: () =>
        records
          .prepare('SELECT cursor, event FROM (SELECT * FROM event ORDER BY cursor DESC LIMIT ?) ORDER BY cursor')
          .all(kept)
          .map((row) => {
            const { action, networkId, attributes, timeNs } = WatchNetworksResponse.decode(bytesOf(row.event));
            return { cursor: Number(row.cursor), event: { action, networkId, attributes, timeNs } };
          }),
      save(cursor, event) {
        const bytes = WatchNetworksResponse.encode(WatchNetworksResponse.fromPartial(event)).finish();
        records.prepare('INSERT INTO event VALUES (?, ?)').run(cursor, bytes);
        if (cursor % lot === 0) records.prepare('DELETE FROM event WHERE cursor <= ?').run(cursor - kept);
      },
    },
  });
}

/** A BLOB as node:sqlite gives it. */
export function bytesOf(value: unknown): Uint8Array {
  return value instanceof Uint8Array ? value : new Uint8Array();
}
