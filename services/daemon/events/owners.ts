import type { Clients } from '../daemon.ts';
import type { EngineEvent } from './event-log.ts';
import type { Placed } from './owner-watch.ts';

/** One owner's events as the engine's. */
export interface Owner {
  owner: string;
  open(after: number, signal: AbortSignal): AsyncIterable<Placed & { event: EngineEvent }>;
}

export function eventOwners(clients: Clients): Owner[] {
  return [
    {
      owner: 'graph',
      async *open(after, signal) {
        for await (const said of clients.graph.events.watchImages({ after }, { signal })) {
          const { cursor, latest, action, attributes, timeNs } = said;
          yield { cursor, latest, event: { type: 'image', action, actorId: said.imageId, attributes, timeNs } };
        }
      },
    },
    {
      owner: 'volume',
      async *open(after, signal) {
        for await (const said of clients.volume.volumes.watchVolumes({ after }, { signal })) {
          const { cursor, latest, action, attributes, timeNs } = said;
          yield { cursor, latest, event: { type: 'volume', action, actorId: said.name, attributes, timeNs } };
        }
      },
    },
    {
      owner: 'network',
      async *open(after, signal) {
        for await (const said of clients.network.networks.watchNetworks({ after }, { signal })) {
          const { cursor, latest, action, attributes, timeNs } = said;
          yield { cursor, latest, event: { type: 'network', action, actorId: said.networkId, attributes, timeNs } };
        }
      },
    },
  ];
}
