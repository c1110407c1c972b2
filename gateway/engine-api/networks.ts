import type { Attachment, ListNetworksRequest, Network } from '../../proto/gen/longshore/network/v1/network.ts';
import type { Peers } from '../peers.ts';
import { BadRequest, notFound } from './errors.ts';
import { labelMap, type Query, truthFilter } from './query.ts';
import type { Routes } from './router.ts';
import { rfc3339 } from './times.ts';

const known = ['name', 'id', 'driver', 'label', 'scope', 'type', 'dangling'];

export function networkRoutes({ networks }: Peers): Routes {
  return {
    async 'GET /networks'(exchange) {
      const filters = exchange.query.filters(known);
      const passes = viewFilter(filters);
      const listed = await Array.fromAsync(networks.listNetworks(listRequest(filters), { signal: exchange.signal }));
      const found = listed.flatMap(({ network }) => (network !== undefined && passes(network) ? [network] : []));
      // Docker's list leaves out who is attached.
      exchange.json(
        200,
        found.map((network) => networkJson(network, [])),
      );
    },

    async 'GET /networks/{id}'(exchange) {
      const reference = exchange.path.id ?? '';
      const { network } = await networks.getNetwork({ network: reference });
      const scope = exchange.query.text('scope');
      if (network === undefined || (scope !== undefined && scope !== network.scope)) {
        throw notFound(`network ${reference} not found`);
      }
      exchange.json(200, networkJson(network, network.attachments));
    },
  };
}

type Filters = ReturnType<Query['filters']>;

function listRequest(filters: Filters): ListNetworksRequest {
  return {
    names: filters.name ?? [],
    ids: filters.id ?? [],
    drivers: filters.driver ?? [],
    labels: labelMap(filters.label),
  };
}

/** Docker's filters that are about the view, not the network. */
function viewFilter(filters: Filters): (network: Network) => boolean {
  const { type = [], scope = [] } = filters;
  for (const each of type) {
    if (each !== 'builtin' && each !== 'custom') throw new BadRequest(`invalid filter: 'type'='${each}'`);
  }
  const dangling = truthFilter('dangling', filters.dangling);
  const kindOf = (network: Network) => (['bridge', 'host', 'none'].includes(network.name) ? 'builtin' : 'custom');
  return (network) =>
    (type.length === 0 || type.includes(kindOf(network))) &&
    (scope.length === 0 || scope.includes(network.scope)) &&
    (dangling === undefined || dangling === (kindOf(network) === 'custom' && network.attachments.length === 0));
}

function networkJson(network: Network, attachments: readonly Attachment[]): object {
  const { ipv4Subnet, ipv4Gateway } = network;
  return {
    Name: network.name,
    Id: network.id,
    Created: rfc3339(network.createdAtNs),
    Scope: network.scope,
    Driver: network.driver,
    EnableIPv4: true,
    EnableIPv6: false,
    IPAM: {
      Driver: 'default',
      Options: null,
      Config: ipv4Subnet === '' ? null : [{ Subnet: ipv4Subnet, ...(ipv4Gateway !== '' && { Gateway: ipv4Gateway }) }],
    },
    Internal: network.internal,
    Attachable: false,
    Ingress: false,
    ConfigFrom: { Network: '' },
    ConfigOnly: false,
    Containers: Object.fromEntries(
      attachments.map((each) => [
        each.sandboxId,
        {
          Name: each.containerName,
          EndpointID: each.endpointId,
          MacAddress: each.macAddress,
          IPv4Address: each.ipv4Address,
          IPv6Address: '',
        },
      ]),
    ),
    Options: network.options,
    Labels: network.labels,
  };
}
