import type {
  ListNetworksRequest,
  Network,
  NetworkServiceImplementation,
} from '../../proto/gen/longshore/network/v1/network.ts';
import { watched } from '../events.ts';
import type { Networks } from './networks.ts';
import type { SandboxStore } from './sandboxes.ts';

export function networkService(
  networks: Networks,
  { events }: SandboxStore,
  needInit: () => unknown,
): NetworkServiceImplementation {
  return {
    async getNetwork({ network }) {
      needInit();
      return { network: networks.find(network) };
    },
    async *listNetworks(filter) {
      needInit();
      for (const network of networks.all()) if (matches(network, filter)) yield { network };
    },
    async *watchNetworks({ after }, { signal }) {
      needInit();
      yield* watched(events, after, signal);
    },
  };
}

function matches(network: Network, { names, ids, drivers, labels }: ListNetworksRequest): boolean {
  return (
    (names.length === 0 || names.some((part) => network.name.includes(part))) &&
    (ids.length === 0 || ids.some((prefix) => network.id.startsWith(prefix))) &&
    (drivers.length === 0 || drivers.includes(network.driver)) &&
    Object.entries(labels).every(([key, value]) => network.labels[key] === value)
  );
}
