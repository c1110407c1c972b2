import { chooseBridgeAddress } from './bridge-address.ts';
import { type Cidr, formatCidr, macOf, parseAddress, parseCidr } from './cidr.ts';
import { errors } from './errors.ts';
import { type Kernel, setSysctl } from './kernel.ts';

export interface BridgePolicy {
  /** An interface of the user's; empty: make `name`. */
  existing: string;
  name: string;
  /** Empty: choose. */
  address: string;
  /** Bytes; 0: the kernel's default. */
  mtu: number;
}

export interface Bridge {
  name: string;
  /** Its own address, with the network's prefix. Containers have it as their gateway. */
  gateway: Cidr;
  /** We made it, now or before. */
  isOurs: boolean;
}

/** What is known before the kernel is asked. */
export interface BridgeContext {
  /** `longshore:<engine id>:bridge` */
  mark: string;
  /** The address that the bridge of this engine had last. */
  before: Cidr | undefined;
  nameservers: readonly number[];
  /** Containers are attached: the address cannot change. */
  isInUse: boolean;
  /** Called before anything is made, so that a crash finds its trace. */
  intend(bridge: Bridge): void;
}

const longestName = 15;

/** Finds, adopts or makes the default bridge. What it made before a failure is removed again. */
export function ensureBridge(kernel: Kernel, policy: BridgePolicy, context: BridgeContext): Bridge {
  return policy.existing === '' ? ensureOwnBridge(kernel, policy, context) : useExisting(kernel, policy, context);
}

function useExisting(kernel: Kernel, policy: BridgePolicy, context: BridgeContext): Bridge {
  const name = policy.existing;
  const link = kernel.rtnetlink.links().find((each) => each.name === name);
  if (link === undefined) throw errors.bridgeNotFound({ bridge: name, problem: 'no such network interface' });
  if (link.kind !== 'bridge') throw errors.bridgeNotFound({ bridge: name, problem: 'it is no bridge' });
  const gateway = addressOf(kernel, link.index);
  if (gateway === undefined) {
    throw errors.bridgeNotFound({ bridge: name, problem: `interface ${name} has no IPv4 addresses` });
  }
  const bridge = { name, gateway, isOurs: link.alias === context.mark };
  refuseOther(policy, gateway);
  context.intend(bridge);
  return bridge;
}

function ensureOwnBridge(kernel: Kernel, policy: BridgePolicy, context: BridgeContext): Bridge {
  const { name } = policy;
  if (Buffer.byteLength(name) > longestName) {
    throw errors.badRequest({
      field: 'bridge_name',
      problem: `interface name ${name} is longer than ${longestName} bytes`,
    });
  }
  const wanted = policy.address === '' ? undefined : parseBridgeAddress(policy.address);
  const link = kernel.rtnetlink.links().find((each) => each.name === name);
  if (link !== undefined && (link.alias !== context.mark || link.kind !== 'bridge')) {
    throw errors.bridgeForeign({ bridge: name, owner: ownerOf(link.alias) });
  }

  const found = link && addressOf(kernel, link.index);
  if (found !== undefined && context.isInUse) refuseOther(policy, found);
  const gateway = wanted ?? found ?? choose(kernel, name, context);
  const bridge = { name, gateway, isOurs: true };
  context.intend(bridge);

  const isSame = found !== undefined && formatCidr(found) === formatCidr(gateway);
  const address = { kind: 'add address', link: name, address: formatCidr(gateway) } as const;
  if (link === undefined) {
    try {
      kernel.rtnetlink.apply(
        {
          kind: 'create bridge',
          name,
          alias: context.mark,
          // Without an address of its own a bridge takes that of a port, and changes it as ports come and go.
          mac: macOf(gateway.address),
          ...(policy.mtu > 0 && { mtu: policy.mtu }),
          up: true,
        },
        address,
      );
    } catch (error) {
      removeBridge(kernel, name, context.mark);
      throw error;
    }
  } else if (!isSame) {
    if (found !== undefined) {
      kernel.rtnetlink.apply({ kind: 'delete address', link: name, address: formatCidr(found) });
    }
    kernel.rtnetlink.apply(address, { kind: 'set link', name, up: true, mac: macOf(gateway.address) });
  } else if (!link.isUp) {
    kernel.rtnetlink.apply({ kind: 'set link', name, up: true });
  }
  return bridge;
}

/** Removes the bridge if it is there and carries our mark. */
export function removeBridge(kernel: Kernel, name: string, mark: string): void {
  const link = kernel.rtnetlink.links().find((each) => each.name === name);
  if (link?.alias === mark) kernel.rtnetlink.apply({ kind: 'delete link', name });
}

function choose(kernel: Kernel, name: string, context: BridgeContext): Cidr {
  const routes = kernel.rtnetlink
    .routes()
    .map((route) => parseCidr(route.destination))
    .filter((route) => route !== undefined);
  const chosen = chooseBridgeAddress(routes, context.nameservers, context.before);
  if (chosen === undefined) throw errors.noFreeSubnet({ bridge: name });
  return chosen;
}

/** An address that can be a gateway: a host's, in a network with room for at least one more. */
function parseBridgeAddress(text: string): Cidr {
  const cidr = parseCidr(text);
  if (cidr === undefined || cidr.prefix > 30 || cidr.prefix < 8) throw errors.badCidr({ cidr: text });
  const host = cidr.address % 2 ** (32 - cidr.prefix);
  if (host === 0 || host === 2 ** (32 - cidr.prefix) - 1) throw errors.badCidr({ cidr: text });
  return cidr;
}

function refuseOther(policy: BridgePolicy, found: Cidr): void {
  if (policy.address === '') return;
  const wanted = parseBridgeAddress(policy.address);
  if (wanted.address !== found.address || wanted.prefix !== found.prefix) {
    throw errors.bridgeMismatch({ address: formatCidr(wanted), found: formatCidr(found) });
  }
}

/** The first global IPv4 address, as Docker takes it. */
function addressOf(kernel: Kernel, index: number): Cidr | undefined {
  const found = kernel.rtnetlink.addresses().find((each) => each.link === index && each.family === 4);
  const address = found && parseAddress(found.address);
  return found === undefined || address === undefined ? undefined : { address, prefix: found.prefixLength };
}

function ownerOf(alias: string | undefined): string {
  if (alias?.startsWith('longshore:')) return `another Longshore engine (${alias.split(':')[1]})`;
  return alias === undefined ? 'somebody else' : `somebody else (${alias})`;
}

/** Makes localhost reach published ports: packets from 127.0.0.0/8 may leave by the bridge. The firewall guards the way in. */
export function routeLocalhost(kernel: Kernel, bridge: Pick<Bridge, 'name'>, isOn: boolean): void {
  setSysctl(kernel, `net/ipv4/conf/${bridge.name}/route_localnet`, isOn ? '1' : '0');
}
