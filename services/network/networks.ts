import { randomBytes } from 'node:crypto';
import { nowNs } from '../../kit/clock.ts';
import type { Records } from '../../kit/records.ts';
import type { Attachment } from '../../proto/gen/longshore/network/v1/network.ts';
import { SandboxMode } from '../../proto/gen/longshore/network/v1/sandbox.ts';
import { formatAddress, formatCidr, networkOf } from './cidr.ts';
import type { Attached } from './engine.ts';
import { errors } from './errors.ts';
import type { SandboxRecord } from './sandbox-records.ts';

/** A network as it is recorded; what else there is to say of one follows from the bridge. */
export interface NetworkRecord {
  id: string;
  name: string;
  driver: string;
  createdAtNs: bigint;
}

/** What Docker always has. */
const predefined = [
  { name: 'bridge', driver: 'bridge' },
  { name: 'host', driver: 'host' },
  { name: 'none', driver: 'null' },
] as const;

export interface Networks {
  /** By name, id or unambiguous prefix of an id. NETWORK_NOT_FOUND. `bridge` counts only while there is one. */
  find(nameOrId: string, hasBridge: boolean): NetworkRecord;
  all(hasBridge: boolean): NetworkRecord[];
}

/** Opens the networks and makes the predefined ones, whose ids then stay. */
export function openNetworks(records: Records): Networks {
  records.transaction(() => {
    for (const { name, driver } of predefined) {
      records
        .prepare('INSERT INTO network VALUES (?, ?, ?, ?) ON CONFLICT (name) DO NOTHING')
        .run(randomBytes(32).toString('hex'), name, driver, String(nowNs()));
    }
  });
  const known: NetworkRecord[] = records
    .prepare('SELECT * FROM network ORDER BY name')
    .all()
    .map((row) => ({
      id: String(row.id),
      name: String(row.name),
      driver: String(row.driver),
      createdAtNs: BigInt(String(row.created_at_ns)),
    }));
  const all = (hasBridge: boolean) => known.filter((network) => hasBridge || network.driver !== 'bridge');
  return {
    all,
    find(nameOrId, hasBridge) {
      const visible = all(hasBridge);
      const exact = visible.find((network) => network.name === nameOrId || network.id === nameOrId);
      if (exact !== undefined) return exact;
      const matches = nameOrId === '' ? [] : visible.filter((network) => network.id.startsWith(nameOrId));
      if (matches.length > 1) throw errors.networkAmbiguous({ network: nameOrId });
      const [match] = matches;
      if (match === undefined) throw errors.networkNotFound({ network: nameOrId });
      return match;
    },
  };
}

/** What people see of a network's configuration, under Docker's names. */
export function describeNetwork(network: NetworkRecord, attached: Attached | undefined) {
  if (network.driver !== 'bridge' || attached === undefined) {
    return { ipv4Subnet: '', ipv4Gateway: '', bridgeInterface: '', options: {} };
  }
  const { bridge, policy } = attached;
  return {
    ipv4Subnet: formatCidr(networkOf(bridge.gateway)),
    ipv4Gateway: formatAddress(bridge.gateway.address),
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

export interface NetworkFilter {
  /** Parts of names. */
  names: readonly string[];
  /** Prefixes of ids. */
  ids: readonly string[];
  drivers: readonly string[];
  labels: Readonly<Record<string, string>>;
}

/** Of each kind of filter any may match; the predefined networks have no labels. */
export function matches(network: NetworkRecord, filter: NetworkFilter): boolean {
  const any = (wanted: readonly string[], isMatch: (each: string) => boolean) =>
    wanted.length === 0 || wanted.some(isMatch);
  return (
    any(filter.names, (name) => network.name.includes(name)) &&
    any(filter.ids, (id) => network.id.startsWith(id)) &&
    any(filter.drivers, (driver) => network.driver === driver) &&
    Object.keys(filter.labels).length === 0
  );
}

/** Who is in a network. `host` and `none` have no endpoints: there it is the sandboxes of that mode. */
export function attachmentsOf(network: NetworkRecord, standing: readonly SandboxRecord[]): Attachment[] {
  const mode =
    network.driver === 'host'
      ? SandboxMode.SANDBOX_MODE_HOST
      : network.driver === 'null'
        ? SandboxMode.SANDBOX_MODE_NONE
        : undefined;
  return standing.flatMap(({ spec, sandbox }) => {
    const whose = { sandboxId: sandbox.id, containerName: spec.containerName.replace(/^\//, '') };
    if (mode !== undefined) {
      return sandbox.mode === mode ? [{ ...whose, endpointId: '', macAddress: '', ipv4Address: '' }] : [];
    }
    return sandbox.endpoints
      .filter((endpoint) => endpoint.networkId === network.id)
      .map(({ id, macAddress, ipv4Address, ipv4Prefix }) => ({
        ...whose,
        endpointId: id,
        macAddress,
        ipv4Address: `${ipv4Address}/${ipv4Prefix}`,
      }));
  });
}
