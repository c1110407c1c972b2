import type { EndpointConfig } from '../../../proto/gen/longshore/daemon/v1/config.ts';
import type { NetworkState } from '../../../proto/gen/longshore/daemon/v1/container.ts';
import {
  type CreateSandboxRequest,
  type HostEntry,
  type Sandbox,
  SandboxMode,
} from '../../../proto/gen/longshore/network/v1/sandbox.ts';
import { errors } from '../errors.ts';
import { planPorts } from './port-plan.ts';
import type { ContainerRecord } from './record.ts';

/** The container whose network this one shares, as `container:<ref>` says; undefined: it has a sandbox of its own. */
export function joinedContainer(record: Pick<ContainerRecord, 'hostConfig'>): string | undefined {
  const { networkMode } = record.hostConfig;
  return networkMode.startsWith('container:') ? networkMode.slice('container:'.length) : undefined;
}

/** Its users are the host's: the engine maps none, or it has been asked not to. */
export function hasHostIds(
  { hostConfig }: Pick<ContainerRecord, 'hostConfig'>,
  { remapsUsers }: { remapsUsers: boolean },
): boolean {
  return !remapsUsers || hostConfig.usernsMode === 'host';
}

export function isDefaultNetwork(mode: string): boolean {
  return mode === '' || mode === 'default' || mode === 'bridge';
}

/** What to ask the network service for. `linked` are the lines of /etc/hosts for linked containers. */
export function planSandbox(
  record: ContainerRecord,
  engine: { networkDisabled: boolean; remapsUsers: boolean },
  linked: readonly HostEntry[],
): CreateSandboxRequest {
  const { hostConfig, config } = record;
  const mode = sandboxMode(record, engine);
  const isAttached = mode === SandboxMode.SANDBOX_MODE_ENDPOINTS;
  return {
    id: record.id,
    mode,
    endpoints: isAttached
      ? endpointsOf(record).map(([network, endpoint]) => ({
          network,
          aliases: network === 'bridge' ? endpoint.aliases : [...endpoint.aliases, record.id.slice(0, 12)],
          ipv4Address: endpoint.ipv4Address,
          macAddress: endpoint.macAddress,
        }))
      : [],
    ports: isAttached ? planPorts(hostConfig, config.exposedPorts) : [],
    hostname: config.hostname,
    domainname: config.domainname,
    dnsServers: hostConfig.dns,
    dnsSearch: hostConfig.dnsSearch,
    dnsOptions: hostConfig.dnsOptions,
    extraHosts: [...hostConfig.extraHosts.map(parseExtraHost), ...linked],
    containerName: record.name,
    hostIds: engine.remapsUsers && hasHostIds(record, engine),
  };
}

function sandboxMode(record: ContainerRecord, engine: { networkDisabled: boolean }): SandboxMode {
  const { networkMode } = record.hostConfig;
  if (networkMode === 'host') return SandboxMode.SANDBOX_MODE_HOST;
  const isWithout = networkMode === 'none' || (engine.networkDisabled && isDefaultNetwork(networkMode));
  if (isWithout || record.config.networkDisabled) return SandboxMode.SANDBOX_MODE_NONE;
  return SandboxMode.SANDBOX_MODE_ENDPOINTS;
}

/** The network of its mode first, then the others it is to be attached to. */
function endpointsOf(record: ContainerRecord): [network: string, EndpointConfig][] {
  const { networkMode } = record.hostConfig;
  const first = isDefaultNetwork(networkMode) ? 'bridge' : networkMode;
  const asked = Object.entries(record.endpoints).map(([network, endpoint]): [string, EndpointConfig] => [
    isDefaultNetwork(network) ? 'bridge' : network,
    endpoint,
  ]);
  const own = asked.find(([network]) => network === first);
  const nothing = { aliases: [], ipv4Address: '', macAddress: '', links: [], driverOptions: {} };
  return [own ?? [first, nothing], ...asked.filter(([network]) => network !== first)];
}

/** `name:address`, the address perhaps IPv6, in brackets or not, or `host-gateway`. */
export function parseExtraHost(text: string): HostEntry {
  const [, name, address] = /^([^:=]+)[:=](.+)$/.exec(text) ?? [];
  if (name === undefined || address === undefined) {
    throw errors.badConfig({ field: 'extra_hosts', problem: `bad format for add-host: "${text}"` });
  }
  return { address: address.replace(/^\[(.*)\]$/, '$1'), names: [name] };
}

export const noNetwork: NetworkState = { networks: [], ports: [], sandboxId: '', sandboxPath: '' };

/** What a client is shown of a sandbox. */
export function networkState(sandbox: Sandbox): NetworkState {
  return {
    networks: sandbox.endpoints.map((endpoint) => ({
      name: endpoint.networkName,
      networkId: endpoint.networkId,
      endpointId: endpoint.id,
      ipv4Address: endpoint.ipv4Address,
      ipv4Prefix: endpoint.ipv4Prefix,
      ipv4Gateway: endpoint.ipv4Gateway,
      macAddress: endpoint.macAddress,
      aliases: endpoint.aliases,
    })),
    ports: sandbox.ports,
    sandboxId: sandbox.id,
    sandboxPath: sandbox.namespacePath,
  };
}

/** Of a container that has ended: its networks are known, and it has no address there. */
export function withoutAddresses(network: NetworkState): NetworkState {
  return {
    ...noNetwork,
    networks: network.networks.map((one) => ({
      ...one,
      endpointId: '',
      ipv4Address: '',
      ipv4Prefix: 0,
      ipv4Gateway: '',
      macAddress: '',
    })),
  };
}
