import { randomBytes } from 'node:crypto';
import { isIP } from 'node:net';
import { Outcome } from '../../proto/gen/longshore/contract/v1/outcome.ts';
import type { InitRequest } from '../../proto/gen/longshore/network/v1/control.ts';
import {
  CreateSandboxRequest,
  type Endpoint,
  type HostEntry,
  type Sandbox,
  SandboxMode,
} from '../../proto/gen/longshore/network/v1/sandbox.ts';
import { nowNs, openEvents } from '../events.ts';
import type { Life } from '../fake.ts';
import { addressFor } from './addresses.ts';
import { formatAddress, macOf } from './bridge.ts';
import { errors } from './errors.ts';
import type { NetworkMemory, Networks } from './networks.ts';
import { bindPorts } from './ports.ts';

export interface SandboxState {
  readonly sandboxes: ReadonlyMap<string, Sandbox>;
  /** What a sandbox was made from. */
  requestOf(id: string): CreateSandboxRequest | undefined;
}

export type SandboxStore = ReturnType<typeof createSandboxStore>;

export function createSandboxStore(
  { durable, dataRoot, execRoot, bootId, bootIdBefore }: Life<NetworkMemory>,
  networks: Networks,
  policy: () => InitRequest,
) {
  const { sandboxes } = durable;
  const events = openEvents(durable.events);
  if (bootId !== bootIdBefore) sandboxes.clear();

  function tell(action: string, sandbox: Sandbox): void {
    for (const { networkId, networkName } of sandbox.endpoints) {
      const attributes = { container: sandbox.id, name: networkName, type: 'bridge' };
      events.append({ action, networkId, attributes, timeNs: nowNs() });
    }
  }

  function endpointsOf(request: CreateSandboxRequest): Endpoint[] {
    const endpoints: Endpoint[] = [];
    for (const { network: name, ipv4Address, macAddress, aliases } of request.endpoints) {
      const { network, bridge } = networks.attachable(name);
      if (endpoints.some(({ networkId }) => networkId === network.id)) {
        throw errors.badRequest({ field: 'endpoints', problem: `${name} is named twice` });
      }
      const address = addressFor(ipv4Address, bridge, sandboxes.values());
      endpoints.push({
        id: randomBytes(32).toString('hex'),
        networkId: network.id,
        networkName: network.name,
        interface: `eth${endpoints.length}`,
        macAddress: macAddress.toLowerCase() || macOf(address),
        ipv4Address: formatAddress(address),
        ipv4Prefix: bridge.prefix,
        ipv4Gateway: formatAddress(bridge.gateway),
        aliases,
      });
    }
    return endpoints;
  }

  function remove(id: string): boolean {
    const stored = sandboxes.get(id);
    if (stored === undefined) return false;
    sandboxes.delete(id);
    tell('disconnect', stored.sandbox);
    return true;
  }

  return {
    events,
    remove,
    create(request: CreateSandboxRequest): { outcome: Outcome; sandbox: Sandbox } {
      const { id, mode } = request;
      check(request);
      const before = sandboxes.get(id);
      if (before !== undefined) {
        if (!sameContent(before.request, request)) throw errors.sandboxExists({ sandbox: id });
        return { outcome: Outcome.OUTCOME_ALREADY, sandbox: before.sandbox };
      }
      const endpoints = endpointsOf(request);
      const ports =
        endpoints.length === 0 ? [] : bindPorts(request.ports, policy().defaultBindingIp, sandboxes.values());
      const files = `${dataRoot}/network/sandboxes/${id}`;
      const sandbox: Sandbox = {
        id,
        mode,
        namespacePath: mode === SandboxMode.SANDBOX_MODE_HOST ? '' : `${execRoot}/netns/${id}`,
        endpoints,
        ports,
        resolvConfPath: `${files}/resolv.conf`,
        hostsPath: `${files}/hosts`,
        hostnamePath: `${files}/hostname`,
      };
      sandboxes.set(id, { request, sandbox });
      tell('connect', sandbox);
      return { outcome: Outcome.OUTCOME_DONE, sandbox };
    },
    update(id: string, extraHosts: HostEntry[]): Outcome {
      const strange = extraHosts.find(({ address }) => isIP(address) === 0 && address !== 'host-gateway');
      if (strange !== undefined)
        throw errors.badRequest({ field: 'extra_hosts', problem: `${strange.address} is no address` });
      const stored = sandboxes.get(id);
      if (stored === undefined) return Outcome.OUTCOME_ABSENT;
      const request = { ...stored.request, extraHosts };
      if (sameContent(stored.request, request)) return Outcome.OUTCOME_ALREADY;
      sandboxes.set(id, { ...stored, request });
      return Outcome.OUTCOME_DONE;
    },
    find(id: string): Sandbox {
      const sandbox = sandboxes.get(id)?.sandbox;
      if (sandbox === undefined) throw errors.sandboxNotFound({ sandbox: id });
      return sandbox;
    },
    all: () => [...sandboxes.values()].map(({ sandbox }) => sandbox),
    removeAllBut: (keep: ReadonlySet<string>) => [...sandboxes.keys()].filter((id) => !keep.has(id) && remove(id)),
    leftovers: () =>
      [...sandboxes.values()].flatMap(({ sandbox }) => [
        `sandbox ${sandbox.id}`,
        ...sandbox.ports.map((port) => `port ${port.hostIp}:${port.hostPort}/${port.protocol} of ${sandbox.id}`),
      ]),
    state: {
      get sandboxes(): ReadonlyMap<string, Sandbox> {
        return new Map([...sandboxes].map(([id, { sandbox }]) => [id, sandbox]));
      },
      requestOf: (id: string) => sandboxes.get(id)?.request,
    } satisfies SandboxState,
  };
}

function check({ id, mode, endpoints }: CreateSandboxRequest): void {
  if (!/^[0-9a-f]{64}$/.test(id)) throw errors.badRequest({ field: 'id', problem: '64 hex digits are needed' });
  if (mode === SandboxMode.SANDBOX_MODE_UNSPECIFIED) throw errors.badRequest({ field: 'mode', problem: 'choose one' });
  if (mode !== SandboxMode.SANDBOX_MODE_ENDPOINTS && endpoints.length > 0) {
    throw errors.badRequest({ field: 'endpoints', problem: 'only a sandbox of mode ENDPOINTS has them' });
  }
}

function sameContent(one: CreateSandboxRequest, other: CreateSandboxRequest): boolean {
  const bytes = (request: CreateSandboxRequest) => CreateSandboxRequest.encode(request).finish();
  return Buffer.compare(bytes(one), bytes(other)) === 0;
}
