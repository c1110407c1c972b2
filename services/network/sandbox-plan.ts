import { randomBytes } from 'node:crypto';
import type { CreateSandboxRequest, Endpoint, EndpointRequest } from '../../proto/gen/longshore/network/v1/sandbox.ts';
import { formatAddress, macOf } from './cidr.ts';
import type { Engine } from './engine.ts';
import { errors } from './errors.ts';
import type { Ipam } from './ipam.ts';
import type { Networks } from './networks.ts';

/** Finds the networks and gives the addresses. To be used within the transaction that records the sandbox. */
export function planEndpoints(
  request: CreateSandboxRequest,
  engine: Engine,
  networks: Networks,
  ipam: Ipam,
): Endpoint[] {
  const endpoints = request.endpoints.map((wish, index) =>
    planEndpoint(request.id, wish, index, engine, networks, ipam),
  );
  const distinct = new Set(endpoints.map((endpoint) => endpoint.networkId));
  if (distinct.size < endpoints.length) {
    throw errors.badRequest({ field: 'endpoints', problem: 'a sandbox cannot be attached to one network twice' });
  }
  return endpoints;
}

function planEndpoint(
  sandboxId: string,
  wish: EndpointRequest,
  index: number,
  engine: Engine,
  networks: Networks,
  ipam: Ipam,
): Endpoint {
  const network = networks.find(wish.network, true);
  if (network.driver !== 'bridge') throw errors.networkNotAttachable({ network: network.name, driver: network.driver });
  if (engine.bridge === undefined) throw errors.networkDisabled({ network: network.name });
  const { gateway } = engine.bridge;
  const requested = wish.ipv4Address === '' ? undefined : wish.ipv4Address;
  const address = ipam.allocate(network.id, gateway, sandboxId, requested);
  return {
    id: randomBytes(32).toString('hex'),
    networkId: network.id,
    networkName: network.name,
    interface: `eth${index}`,
    macAddress: wish.macAddress === '' ? macOf(address) : wish.macAddress.toLowerCase(),
    ipv4Address: formatAddress(address),
    ipv4Prefix: gateway.prefix,
    ipv4Gateway: formatAddress(gateway.address),
    aliases: wish.aliases,
  };
}
