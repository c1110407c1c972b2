import { AF_INET6, ipToBytes, macToBytes } from './ip-bytes.ts';
import type { LinkIndexes } from './link-indexes.ts';
import { attribute, type Request } from './netlink.ts';
import type { Change } from './rtnetlink.ts';
import { SystemError } from './system-error.ts';

// <linux/rtnetlink.h>, <linux/if_link.h>, <linux/if_addr.h>
const RTM_NEWLINK = 16;
const RTM_DELLINK = 17;
const RTM_NEWADDR = 20;
const RTM_DELADDR = 21;
const RTM_NEWROUTE = 24;
const NEW = 0x400 | 0x200; // NLM_F_CREATE | NLM_F_EXCL
const IFF_UP = 1;
const IFLA = { ADDRESS: 1, IFNAME: 3, MTU: 4, MASTER: 10, LINKINFO: 18, IFALIAS: 20, NET_NS_FD: 28 } as const;
const IFLA_INFO = { KIND: 1, DATA: 2, SLAVE_KIND: 4, SLAVE_DATA: 5 } as const;
const VETH_INFO_PEER = 1;
const IFLA_BRPORT = { MODE: 4 /* hairpin */, ISOLATED: 33 } as const;
const IFA = { ADDRESS: 1, LOCAL: 2 } as const;
const IFA_F_NODAD = 2;
const RTA = { OIF: 4, GATEWAY: 5 } as const;
const RT_TABLE_MAIN = 254;
const RTPROT_STATIC = 4;
const RTN_UNICAST = 1;
const IFNAMSIZ = 16;
const EINVAL = 22;

/** struct ifinfomsg. Index 0 leaves it to IFLA_IFNAME to name the interface. */
function linkHeader(index: number, up?: boolean): Buffer {
  const header = Buffer.alloc(16);
  header.writeInt32LE(index, 4);
  if (up !== undefined) {
    header.writeUInt32LE(up ? IFF_UP : 0, 8); // flags
    header.writeUInt32LE(IFF_UP, 12); // change
  }
  return header;
}

function nameAttribute(name: string): Buffer {
  if (name === '' || name.includes('\0') || Buffer.byteLength(name) >= IFNAMSIZ) {
    throw new SystemError('rtnetlink', EINVAL, name, 'an interface name has 1 to 15 bytes');
  }
  return attribute(IFLA.IFNAME, name);
}

const macAttributes = (mac?: string): Buffer[] => (mac === undefined ? [] : [attribute(IFLA.ADDRESS, macToBytes(mac))]);
const mtuAttributes = (mtu?: number): Buffer[] => (mtu === undefined ? [] : [attribute(IFLA.MTU, mtu)]);

/** Who an existing interface is: one made in this send by its index, others by name. (With both, the kernel renames.) */
function existing(name: string, indexes: LinkIndexes, up?: boolean): Buffer {
  const index = indexes.reserved(name);
  return index === undefined ? Buffer.concat([linkHeader(0, up), nameAttribute(name)]) : linkHeader(index, up);
}

/**
 * The kernel ignores an alias given at birth, so it follows as a request of its own in the same send. It goes by the
 * index reserved for the new interface: had the creation failed since the name is taken, the alias would else mark the
 * interface of somebody else as ours.
 */
function aliasRequest(name: string, alias: string, index: number): Request {
  const body = Buffer.concat([linkHeader(index), attribute(IFLA.IFALIAS, alias)]);
  return { what: `set alias of ${name}`, type: RTM_NEWLINK, flags: 0, body };
}

type Of<Kind extends Change['kind']> = Extract<Change, { readonly kind: Kind }>;

function createBridge(change: Of<'create bridge'>, indexes: LinkIndexes): Request[] {
  const { name, alias, mac, mtu, up } = change;
  const index = indexes.reserve(name);
  const body = Buffer.concat([
    linkHeader(index, up),
    nameAttribute(name),
    ...macAttributes(mac),
    ...mtuAttributes(mtu),
    attribute(IFLA.LINKINFO, [attribute(IFLA_INFO.KIND, 'bridge')]),
  ]);
  return [{ what: `create bridge ${name}`, type: RTM_NEWLINK, flags: NEW, body }, aliasRequest(name, alias, index)];
}

function createVeth(change: Of<'create veth'>, indexes: LinkIndexes): Request[] {
  const { name, alias, peer, mtu, master, up } = change;
  const index = indexes.reserve(name);
  const far = Buffer.concat([
    linkHeader(0),
    nameAttribute(peer.name),
    ...macAttributes(peer.mac),
    ...mtuAttributes(mtu),
    attribute(IFLA.NET_NS_FD, peer.namespace),
  ]);
  const peerData = attribute(VETH_INFO_PEER, [far]);
  const body = Buffer.concat([
    linkHeader(index, up),
    nameAttribute(name),
    ...mtuAttributes(mtu),
    ...(master === undefined ? [] : [attribute(IFLA.MASTER, indexes.of(master))]),
    attribute(IFLA.LINKINFO, [attribute(IFLA_INFO.KIND, 'veth'), attribute(IFLA_INFO.DATA, [peerData])]),
  ]);
  return [{ what: `create veth ${name}`, type: RTM_NEWLINK, flags: NEW, body }, aliasRequest(name, alias, index)];
}

function setLink(change: Of<'set link'>, indexes: LinkIndexes): Request[] {
  const { name, up, mtu, mac, alias, master, hairpin, isolated } = change;
  const plain = [...macAttributes(mac), ...mtuAttributes(mtu)];
  if (alias !== undefined) plain.push(attribute(IFLA.IFALIAS, alias));
  if (master !== undefined) plain.push(attribute(IFLA.MASTER, master === null ? 0 : indexes.of(master)));
  const requests: Request[] = [];
  if (plain.length > 0 || up !== undefined) {
    const body = Buffer.concat([existing(name, indexes, up), ...plain]);
    requests.push({ what: `set ${name}`, type: RTM_NEWLINK, flags: 0, body });
  }
  const flag = (type: number, on?: boolean): Buffer[] =>
    on === undefined ? [] : [attribute(type, Buffer.of(Number(on)))];
  const port = [...flag(IFLA_BRPORT.MODE, hairpin), ...flag(IFLA_BRPORT.ISOLATED, isolated)];
  if (port.length > 0) {
    const slave = [attribute(IFLA_INFO.SLAVE_KIND, 'bridge'), attribute(IFLA_INFO.SLAVE_DATA, port)];
    const body = Buffer.concat([existing(name, indexes), attribute(IFLA.LINKINFO, slave)]);
    requests.push({ what: `set bridge port ${name}`, type: RTM_NEWLINK, flags: 0, body });
  }
  return requests;
}

function deleteLink({ name }: Of<'delete link'>, indexes: LinkIndexes): Request[] {
  const body = existing(name, indexes);
  indexes.forget(name);
  return [{ what: `delete link ${name}`, type: RTM_DELLINK, flags: 0, body }];
}

/** Splits `10.1.2.3/24`; without a length the address stands alone. */
function parsePrefix(prefix: string): { readonly address: string; readonly length?: number } {
  const [address = '', length, ...rest] = prefix.split('/');
  const bits = length === undefined ? undefined : Number(length);
  if (rest.length > 0 || (bits !== undefined && !(Number.isInteger(bits) && bits >= 0 && bits <= 128))) {
    throw new RangeError(`not an address with a prefix length: ${JSON.stringify(prefix)}`);
  }
  return bits === undefined ? { address } : { address, length: bits };
}

function changeAddress(change: Of<'add address' | 'delete address'>, indexes: LinkIndexes): Request[] {
  const { kind, link } = change;
  const { address, length } = parsePrefix(change.address);
  const { family, bytes } = ipToBytes(address);
  const header = Buffer.alloc(8); // struct ifaddrmsg { u8 family, prefixlen, flags, scope; u32 index }
  header[0] = family;
  header[1] = length ?? bytes.length * 8;
  // Usable at once: nobody else can have an address that we gave out.
  header[2] = family === AF_INET6 ? IFA_F_NODAD : 0;
  header.writeUInt32LE(indexes.of(link), 4);
  const body = Buffer.concat([header, attribute(IFA.LOCAL, bytes), attribute(IFA.ADDRESS, bytes)]);
  const adds = kind === 'add address';
  const what = `${kind} ${change.address} ${adds ? 'to' : 'of'} ${link}`;
  return [{ what, type: adds ? RTM_NEWADDR : RTM_DELADDR, flags: adds ? NEW : 0, body }];
}

function addDefaultRoute(change: Of<'add default route'>, indexes: LinkIndexes): Request[] {
  const { gateway, link } = change;
  const { family, bytes } = ipToBytes(gateway);
  const header = Buffer.alloc(12); // struct rtmsg
  header[0] = family;
  header[4] = RT_TABLE_MAIN;
  header[5] = RTPROT_STATIC;
  header[7] = RTN_UNICAST;
  const body = Buffer.concat([header, attribute(RTA.GATEWAY, bytes), attribute(RTA.OIF, indexes.of(link))]);
  return [{ what: `add default route via ${gateway} on ${link}`, type: RTM_NEWROUTE, flags: NEW, body }];
}

/** The requests that make a change. */
export function encodeChange(change: Change, indexes: LinkIndexes): Request[] {
  switch (change.kind) {
    case 'create bridge':
      return createBridge(change, indexes);
    case 'create veth':
      return createVeth(change, indexes);
    case 'set link':
      return setLink(change, indexes);
    case 'delete link':
      return deleteLink(change, indexes);
    case 'add address':
    case 'delete address':
      return changeAddress(change, indexes);
    case 'add default route':
      return addDefaultRoute(change, indexes);
  }
}
