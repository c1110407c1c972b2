import { readlinkSync } from 'node:fs';
import { isIPv6 } from 'node:net';
import type { Calls } from './fake-calls.ts';
import type { Address, Change, Link, Route, Rtnetlink } from './rtnetlink.ts';
import { SystemError } from './system-error.ts';

const EEXIST = 17;
const ENODEV = 19;
const EADDRNOTAVAIL = 99;
const IFF_UP = 1;

/** The interfaces of one namespace. */
type Table = { links: Link[]; addresses: Address[]; routes: Route[] };

type ChangeOf<Kind extends Change['kind']> = Extract<Change, { readonly kind: Kind }>;

function prefixOf(address: string): Omit<Address, 'link'> {
  const [text = '', length] = address.split('/');
  const family = isIPv6(text) ? 6 : 4;
  return { family, address: text, prefixLength: Number(length ?? (family === 6 ? 128 : 32)), scope: 0 };
}

/** Interfaces in memory, a table for each namespace. `here` tells the file of the namespace that a call is made in. */
export function createFakeRtnetlink(calls: Calls, here: () => string): Rtnetlink {
  const tables = new Map<string, Table>();
  let lastIndex = 1;

  function table(namespace: string): Table {
    const known = tables.get(namespace);
    if (known) return known;
    const lo = { index: 1, name: 'lo', mtu: 65536, flags: 0, isUp: false };
    const made: Table = { links: [lo], addresses: [], routes: [] };
    tables.set(namespace, made);
    return made;
  }

  function find(name: string, what: string): Link {
    const link = table(here()).links.find((candidate) => candidate.name === name);
    if (!link) throw new SystemError('rtnetlink', ENODEV, what);
    return link;
  }

  function add(namespace: string, link: Omit<Link, 'index' | 'flags'>): void {
    const { links } = table(namespace);
    if (links.some(({ name }) => name === link.name)) throw new SystemError('rtnetlink', EEXIST, `create ${link.name}`);
    links.push({ ...link, index: ++lastIndex, flags: link.isUp ? IFF_UP : 0 });
  }

  function create(change: ChangeOf<'create bridge' | 'create veth'>): void {
    const { name, alias, up = false, mtu = 1500 } = change;
    const isVeth = change.kind === 'create veth';
    const master = isVeth && change.master !== undefined ? { master: find(change.master, change.master).index } : {};
    const mac = !isVeth && change.mac !== undefined ? { mac: change.mac } : {};
    add(here(), { name, alias, mtu, isUp: up, kind: isVeth ? 'veth' : 'bridge', ...master, ...mac });
    if (!isVeth) return;
    const { peer } = change;
    const peerMac = peer.mac === undefined ? {} : { mac: peer.mac };
    add(readlinkSync(`/proc/self/fd/${peer.namespace}`), {
      name: peer.name,
      mtu,
      isUp: false,
      kind: 'veth',
      ...peerMac,
    });
  }

  function set(change: ChangeOf<'set link'>): void {
    const { name, up, mtu, mac, alias, master } = change;
    const { master: before, ...link } = find(name, `set ${name}`);
    const isUp = up ?? link.isUp;
    const index = master === undefined ? before : master === null ? undefined : find(master, master).index;
    const changed: Link = {
      ...link,
      isUp,
      flags: isUp ? IFF_UP : 0,
      ...(mtu === undefined ? {} : { mtu }),
      ...(mac === undefined ? {} : { mac }),
      ...(alias === undefined ? {} : { alias }),
      ...(index === undefined ? {} : { master: index }),
    };
    const { links } = table(here());
    links[links.findIndex((candidate) => candidate.name === name)] = changed;
  }

  function removeLink({ name }: ChangeOf<'delete link'>): void {
    const { index } = find(name, `delete link ${name}`);
    const own = table(here());
    own.links = own.links.filter((link) => link.index !== index);
    own.addresses = own.addresses.filter(({ link }) => link !== index);
    own.routes = own.routes.filter(({ link }) => link !== index);
  }

  function changeAddress(change: ChangeOf<'add address' | 'delete address'>): void {
    const { index } = find(change.link, change.link);
    const own = table(here());
    const address = { link: index, ...prefixOf(change.address) };
    const has = own.addresses.some((other) => other.link === index && other.address === address.address);
    const adds = change.kind === 'add address';
    if (has === adds)
      throw new SystemError('rtnetlink', adds ? EEXIST : EADDRNOTAVAIL, `${change.kind} ${change.address}`);
    if (adds) own.addresses.push(address);
    else own.addresses = own.addresses.filter((other) => other.link !== index || other.address !== address.address);
  }

  function applyOne(change: Change): void {
    switch (change.kind) {
      case 'create bridge':
      case 'create veth':
        create(change);
        break;
      case 'set link':
        set(change);
        break;
      case 'delete link':
        removeLink(change);
        break;
      case 'add address':
      case 'delete address':
        changeAddress(change);
        break;
      case 'add default route': {
        const { index } = find(change.link, change.link);
        const { gateway } = change;
        if (!isIPv6(gateway)) table(here()).routes.push({ destination: '0.0.0.0/0', gateway, link: index, metric: 0 });
      }
    }
  }

  return {
    apply(...changes) {
      calls.record('rtnetlink.apply', ...changes);
      for (const change of changes) applyOne(change);
    },
    links: () => [...table(here()).links],
    addresses: () => [...table(here()).addresses],
    routes: () => [...table(here()).routes],
    defaultRoute() {
      const { routes, links } = table(here());
      const route = routes.find(({ destination }) => destination === '0.0.0.0/0');
      const link = links.find(({ index }) => index === route?.link);
      if (!route || !link) return undefined;
      return {
        interface: link.name,
        mtu: link.mtu,
        ...(route.gateway === undefined ? {} : { gateway: route.gateway }),
      };
    },
  };
}
