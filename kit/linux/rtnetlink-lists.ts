import { AF_INET, bytesToIp, bytesToMac } from './ip-bytes.ts';
import { attribute, attributes, dump, type Message, text } from './netlink.ts';

export type Link = {
  readonly index: number;
  readonly name: string;
  /** The mark of ownership. */
  readonly alias?: string;
  readonly mac?: string;
  /** Bytes. */
  readonly mtu: number;
  /** Index of the bridge that it is a port of. */
  readonly master?: number;
  /** IFF_* bits of netdevice(7). */
  readonly flags: number;
  /** IFF_UP: switched on (which says nothing about the carrier). */
  readonly isUp: boolean;
  /** `bridge`, `veth` …; missing for hardware and loopback. */
  readonly kind?: string;
};

export type Address = {
  /** Index of the interface. */
  readonly link: number;
  readonly family: 4 | 6;
  readonly address: string;
  readonly prefixLength: number;
  /** 0 global, 253 link, 254 host. */
  readonly scope: number;
};

export type Route = {
  /** `10.0.0.0/8`; the default route is `0.0.0.0/0`. */
  readonly destination: string;
  readonly gateway?: string;
  /** Index of the interface; of a multipath route that of the first hop. */
  readonly link: number;
  /** The lower one wins. */
  readonly metric: number;
};

const RTM_GETLINK = 18;
const RTM_GETADDR = 22;
const RTM_GETROUTE = 26;
const IFLA = { ADDRESS: 1, IFNAME: 3, MTU: 4, MASTER: 10, LINKINFO: 18, IFALIAS: 20, EXT_MASK: 29 } as const;
const IFLA_INFO_KIND = 1;
const RTEXT_FILTER_SKIP_STATS = 8;
const IFF_UP = 1;
const IFA = { ADDRESS: 1, LOCAL: 2 } as const;
const RTA = { DST: 1, OIF: 4, GATEWAY: 5, PRIORITY: 6, MULTIPATH: 9, TABLE: 15 } as const;
const RT_TABLE_MAIN = 254;
const RTN_UNICAST = 1;

const u32 = (value: Buffer | undefined): number | undefined =>
  value && value.length >= 4 ? value.readUInt32LE(0) : undefined;

function parseLink({ body }: Message): Link {
  const found = attributes(body, 16);
  const info = found.get(IFLA.LINKINFO);
  const flags = body.readUInt32LE(8);
  const alias = text(found.get(IFLA.IFALIAS));
  const mac = found.get(IFLA.ADDRESS);
  const master = u32(found.get(IFLA.MASTER));
  const kind = info && text(attributes(info, 0).get(IFLA_INFO_KIND));
  return {
    index: body.readInt32LE(4),
    name: text(found.get(IFLA.IFNAME)) ?? '',
    mtu: u32(found.get(IFLA.MTU)) ?? 0,
    flags,
    isUp: (flags & IFF_UP) !== 0,
    ...(alias === undefined ? {} : { alias }),
    ...(mac?.length === 6 ? { mac: bytesToMac(mac) } : {}),
    ...(master === undefined ? {} : { master }),
    ...(kind === undefined ? {} : { kind }),
  };
}

export function listLinks(): Link[] {
  const body = Buffer.concat([Buffer.alloc(16), attribute(IFLA.EXT_MASK, RTEXT_FILTER_SKIP_STATS)]);
  return dump({ what: 'list links', type: RTM_GETLINK, flags: 0, body }).map(parseLink);
}

function parseAddress({ body }: Message): Address | undefined {
  const found = attributes(body, 8);
  // On a point-to-point link ADDRESS is the other side's.
  const bytes = found.get(IFA.LOCAL) ?? found.get(IFA.ADDRESS);
  if (!bytes) return undefined;
  return {
    link: body.readUInt32LE(4),
    family: body[0] === AF_INET ? 4 : 6,
    address: bytesToIp(bytes),
    prefixLength: body[1] ?? 0,
    scope: body[3] ?? 0,
  };
}

export function listAddresses(): Address[] {
  const answers = dump({ what: 'list addresses', type: RTM_GETADDR, flags: 0, body: Buffer.alloc(8) });
  return answers.map(parseAddress).filter((address) => address !== undefined);
}

/** struct rtnexthop { u16 length; u8 flags, hops; int index } and its attributes. */
function firstHop(multipath: Buffer): { readonly link: number; readonly gateway: Buffer | undefined } | undefined {
  if (multipath.length < 8) return undefined;
  const hop = multipath.subarray(0, multipath.readUInt16LE(0));
  return { link: hop.readInt32LE(4), gateway: attributes(hop, 8).get(RTA.GATEWAY) };
}

function parseRoute({ body }: Message): Route | undefined {
  const found = attributes(body, 12);
  const table = u32(found.get(RTA.TABLE)) ?? body[4];
  if (body[0] !== AF_INET || table !== RT_TABLE_MAIN || body[7] !== RTN_UNICAST) return undefined;
  const multipath = found.get(RTA.MULTIPATH);
  const hop = multipath && firstHop(multipath);
  const link = u32(found.get(RTA.OIF)) ?? hop?.link;
  if (link === undefined) return undefined;
  const gateway = found.get(RTA.GATEWAY) ?? hop?.gateway;
  return {
    destination: `${bytesToIp(found.get(RTA.DST) ?? Buffer.alloc(4))}/${body[1] ?? 0}`,
    ...(gateway === undefined ? {} : { gateway: bytesToIp(gateway) }),
    link,
    metric: u32(found.get(RTA.PRIORITY)) ?? 0,
  };
}

export function listRoutes(): Route[] {
  const body = Buffer.alloc(12);
  body[0] = AF_INET;
  const answers = dump({ what: 'list routes', type: RTM_GETROUTE, flags: 0, body });
  return answers.map(parseRoute).filter((route) => route !== undefined);
}
