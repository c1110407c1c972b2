import { linkIndexes } from './link-indexes.ts';
import { send } from './netlink.ts';
import { encodeChange } from './rtnetlink-changes.ts';
import { type Address, type Link, listAddresses, listLinks, listRoutes, type Route } from './rtnetlink-lists.ts';

export type { Address, Link, Route } from './rtnetlink-lists.ts';

/** The far end of a veth pair, born in the namespace whose file `namespace` is an open descriptor of. */
export type VethPeer = {
  readonly name: string;
  readonly namespace: number;
  readonly mac?: string;
};

/**
 * One change of interfaces, addresses or routes. Interfaces go by name (at most 15 bytes). `alias` is the mark of
 * ownership; a new interface and its alias are made in one system call, so no interface of ours is ever seen without it.
 */
export type Change =
  | {
      readonly kind: 'create bridge';
      readonly name: string;
      readonly alias: string;
      readonly mac?: string;
      readonly mtu?: number;
      readonly up?: boolean;
    }
  | {
      readonly kind: 'create veth';
      readonly name: string;
      readonly alias: string;
      readonly peer: VethPeer;
      /** Of both ends. */
      readonly mtu?: number;
      /** The bridge that `name` becomes a port of. */
      readonly master?: string;
      readonly up?: boolean;
    }
  | {
      readonly kind: 'set link';
      readonly name: string;
      readonly up?: boolean;
      readonly mtu?: number;
      readonly mac?: string;
      readonly alias?: string;
      /** A bridge's name, or null to leave the bridge. */
      readonly master?: string | null;
      /** Of a bridge's port: send frames back out where they came from. Needs the master to be set before. */
      readonly hairpin?: boolean;
      /** Of a bridge's port: pass nothing from here to another isolated port. Needs the master to be set before. */
      readonly isolated?: boolean;
    }
  | { readonly kind: 'delete link'; readonly name: string }
  | {
      readonly kind: 'add address' | 'delete address';
      readonly link: string;
      /** `10.1.2.3/24`, `fd00::1/64` */
      readonly address: string;
    }
  | { readonly kind: 'add default route'; readonly gateway: string; readonly link: string };

export type DefaultRoute = {
  readonly interface: string;
  /** Of the interface, bytes. */
  readonly mtu: number;
  /** Missing on a point-to-point link. */
  readonly gateway?: string;
};

/**
 * Interfaces, addresses and routes of the network namespace that the thread is in during the call: inside
 * `NetworkNamespaces.run` those of that namespace.
 */
export interface Rtnetlink {
  /**
   * Makes the changes, in order, in one send. Each is tried even if one before was refused; then the first refusal is
   * thrown as a SystemError (EEXIST, ENODEV …) whose path names the change. Later changes of an interface that couldn't
   * be created don't touch another one of its name. Nothing is sent when a name or an address is malformed, or when a
   * change needs the index of an interface that isn't there.
   */
  apply(...changes: readonly Change[]): void;
  links(): Link[];
  /** IPv4 and IPv6, all interfaces. */
  addresses(): Address[];
  /** The unicast IPv4 routes of the main table. */
  routes(): Route[];
  /** The IPv4 default route of the lowest metric; of a multipath route its first hop. */
  defaultRoute(): DefaultRoute | undefined;
}

function apply(...changes: readonly Change[]): void {
  const indexes = linkIndexes();
  send(changes.flatMap((change) => encodeChange(change, indexes)));
}

function defaultRoute(): DefaultRoute | undefined {
  const [route] = listRoutes()
    .filter(({ destination }) => destination === '0.0.0.0/0')
    .sort((a, b) => a.metric - b.metric);
  const link = route && listLinks().find(({ index }) => index === route.link);
  if (!route || !link) return undefined;
  const { name, mtu } = link;
  return { interface: name, mtu, ...(route.gateway === undefined ? {} : { gateway: route.gateway }) };
}

/** The real interfaces. Holds nothing open; works on any thread. */
export function createRtnetlink(): Rtnetlink {
  return { apply, links: listLinks, addresses: listAddresses, routes: listRoutes, defaultRoute };
}
