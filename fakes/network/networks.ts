import { randomBytes } from 'node:crypto';
import type { InitRequest } from '../../proto/gen/longshore/network/v1/control.ts';
import type { Network, WatchNetworksResponse } from '../../proto/gen/longshore/network/v1/network.ts';
import type { CreateSandboxRequest, Sandbox } from '../../proto/gen/longshore/network/v1/sandbox.ts';
import { SandboxMode } from '../../proto/gen/longshore/network/v1/sandbox.ts';
import { type EventMemory, nowNs } from '../events.ts';
import type { Life } from '../fake.ts';
import { type Bridge, formatAddress, subnetOf } from './bridge.ts';
import { errors } from './errors.ts';

export type NetworkEvent = Pick<WatchNetworksResponse, 'action' | 'networkId' | 'attributes' | 'timeNs'>;

export interface StoredSandbox {
  request: CreateSandboxRequest;
  sandbox: Sandbox;
}

export interface NetworkMemory {
  sandboxes: Map<string, StoredSandbox>;
  events: EventMemory<NetworkEvent>;
  networks: { id: string; name: string; driver: string; createdAtNs: bigint }[];
}

export function noNetworks(): NetworkMemory {
  const make = (name: string, driver: string) => ({
    id: randomBytes(32).toString('hex'),
    name,
    driver,
    createdAtNs: nowNs(),
  });
  return {
    sandboxes: new Map(),
    events: [],
    networks: [make('bridge', 'bridge'), make('host', 'host'), make('none', 'null')],
  };
}

export interface Attached {
  bridge: Bridge;
  policy: InitRequest;
}

export interface Networks {
  /** NETWORK_NOT_FOUND. */
  find(nameOrId: string): Network;
  all(): Network[];
  /** NETWORK_DISABLED, NETWORK_NOT_ATTACHABLE. */
  attachable(nameOrId: string): { network: Network; bridge: Bridge };
  attached(): Attached | undefined;
}

const modes: Readonly<Record<string, SandboxMode>> = {
  host: SandboxMode.SANDBOX_MODE_HOST,
  null: SandboxMode.SANDBOX_MODE_NONE,
};

/** `bridge`, `host` and `none`; `bridge` unless networking is disabled. */
export function createNetworks({ durable }: Life<NetworkMemory>, attached: () => Attached | undefined): Networks {
  const all = (): Network[] =>
    durable.networks
      .filter(({ driver }) => driver !== 'bridge' || attached() !== undefined)
      .map((network) => ({
        ...network,
        ...addressesOf(network.driver, attached()),
        scope: 'local',
        labels: {},
        internal: false,
        attachments: [...durable.sandboxes.values()].flatMap((stored) => attachmentsOf(stored, network)),
      }));

  const find = (nameOrId: string): Network => {
    const exact = all().find(({ name, id }) => name === nameOrId || id === nameOrId);
    if (exact !== undefined) return exact;
    const matches = nameOrId === '' ? [] : all().filter(({ id }) => id.startsWith(nameOrId));
    if (matches.length > 1) throw errors.networkAmbiguous({ network: nameOrId });
    const [match] = matches;
    if (match === undefined) throw errors.networkNotFound({ network: nameOrId });
    return match;
  };

  return {
    all,
    find,
    attached,
    attachable(nameOrId) {
      const bridge = attached()?.bridge;
      if (bridge === undefined && (nameOrId === 'bridge' || nameOrId === durable.networks[0]?.id)) {
        throw errors.networkDisabled({ network: nameOrId });
      }
      const network = find(nameOrId);
      if (bridge === undefined || network.driver !== 'bridge') {
        throw errors.networkNotAttachable({ network: network.name });
      }
      return { network, bridge };
    },
  };
}

function addressesOf(driver: string, attached: Attached | undefined) {
  if (driver !== 'bridge' || attached === undefined) {
    return { ipv4Subnet: '', ipv4Gateway: '', bridgeInterface: '', options: {} };
  }
  const { bridge, policy } = attached;
  return {
    ipv4Subnet: subnetOf(bridge),
    ipv4Gateway: formatAddress(bridge.gateway),
    bridgeInterface: bridge.name,
    options: {
      'com.docker.network.bridge.default_bridge': 'true',
      'com.docker.network.bridge.enable_icc': String(policy.icc),
      'com.docker.network.bridge.enable_ip_masquerade': String(policy.iptables),
      'com.docker.network.bridge.host_binding_ipv4': policy.defaultBindingIp,
      'com.docker.network.bridge.name': bridge.name,
      'com.docker.network.driver.mtu': String(policy.mtu),
    },
  };
}

function attachmentsOf({ request, sandbox }: StoredSandbox, network: { id: string; driver: string }) {
  const whose = { sandboxId: sandbox.id, containerName: request.containerName.replace(/^\//, '') };
  if (sandbox.mode === modes[network.driver]) return [{ ...whose, endpointId: '', macAddress: '', ipv4Address: '' }];
  return sandbox.endpoints
    .filter(({ networkId }) => networkId === network.id)
    .map(({ id, macAddress, ipv4Address, ipv4Prefix }) => ({
      ...whose,
      endpointId: id,
      macAddress,
      ipv4Address: `${ipv4Address}/${ipv4Prefix}`,
    }));
}
