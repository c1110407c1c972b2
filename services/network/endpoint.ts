import { closeSync, openSync } from 'node:fs';
import { hasCode } from '../../kit/linux/system-error.ts';
import { type Kernel, setSysctl } from './kernel.ts';

/** One interface of a sandbox and the bridge it leads to. */
export interface EndpointPlan {
  id: string;
  /** File of the sandbox's namespace. */
  namespacePath: string;
  /** The sign of ownership of the host's end. */
  mark: string;
  bridge: string;
  interface: string;
  macAddress: string;
  /** With its prefix length. */
  address: string;
  gateway: string;
  /** Only one interface of a sandbox leads out of the network. */
  isDefaultRoute: boolean;
  /** Bytes; 0: the kernel's default. */
  mtu: number;
  /** Containers may not talk to each other: the bridge passes nothing from this port to another such port. */
  isIsolated: boolean;
  /** The container may meet itself through its own published port, where bridged frames pass the firewall. */
  isHairpin: boolean;
}

/** Harmless in a network namespace of one's own, and then ping and low ports need no capability. As Docker has it. */
const freedoms = [
  ['net/ipv4/ping_group_range', '0\t2147483647'],
  ['net/ipv4/ip_unprivileged_port_start', '0'],
] as const;

/** What a new namespace needs for itself: the loopback switched on, and the freedoms that containers have in it. */
export function prepareNamespace(kernel: Kernel, namespacePath: string): void {
  kernel.namespaces.run(namespacePath, () => {
    kernel.rtnetlink.apply({ kind: 'set link', name: 'lo', up: true });
    for (const [name, value] of freedoms) {
      try {
        setSysctl(kernel, name, value);
      } catch {
        // An old kernel, or a read-only /proc/sys: containers that want this need the capability.
      }
    }
  });
}

/** Makes the interface and everything in the namespace that it needs. */
export function attach(kernel: Kernel, plan: EndpointPlan): void {
  const name = makeVeth(kernel, plan);
  if (plan.isIsolated || plan.isHairpin) {
    kernel.rtnetlink.apply({ kind: 'set link', name, isolated: plan.isIsolated, hairpin: plan.isHairpin });
  }
  kernel.namespaces.run(plan.namespacePath, () => {
    disableIpv6(kernel, plan.interface);
    kernel.rtnetlink.apply(
      { kind: 'add address', link: plan.interface, address: plan.address },
      { kind: 'set link', name: plan.interface, up: true },
      ...(plan.isDefaultRoute
        ? [{ kind: 'add default route', gateway: plan.gateway, link: plan.interface } as const]
        : []),
    );
  });
}

/** The network has no IPv6: without this the container would have a link-local address that leads nowhere. */
function disableIpv6(kernel: Kernel, name: string): void {
  try {
    setSysctl(kernel, `net/ipv6/conf/${name}/disable_ipv6`, '1');
  } catch {
    // A kernel without IPv6, or a read-only /proc/sys: the address does no harm.
  }
}

/** Docker's form of the name, `veth` and 7 hex digits. Other engines have such names too, so there are some to try. */
function makeVeth(kernel: Kernel, plan: EndpointPlan): string {
  const namespace = openSync(plan.namespacePath, 'r');
  try {
    for (let at = 0; ; at += 7) {
      const name = `veth${plan.id.slice(at, at + 7)}`;
      try {
        kernel.rtnetlink.apply({
          kind: 'create veth',
          name,
          alias: plan.mark,
          peer: { name: plan.interface, namespace, mac: plan.macAddress },
          ...(plan.mtu > 0 && { mtu: plan.mtu }),
          master: plan.bridge,
          up: true,
        });
        return name;
      } catch (error) {
        if (!hasCode(error, 'EEXIST') || at + 14 > plan.id.length) throw error;
      }
    }
  } finally {
    closeSync(namespace);
  }
}
