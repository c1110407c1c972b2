import { check, closeDescriptor, libc } from '../../kit/linux/libc.ts';
import { attribute, attributes } from '../../kit/linux/netlink.ts';
import { SystemError } from '../../kit/linux/system-error.ts';

/** ctnetlink, as in <linux/netfilter/nfnetlink_conntrack.h>. */
const AF_NETLINK = 16;
const AF_INET = 2;
const SOCK_RAW_CLOEXEC = 3 | 0x80000;
const NETLINK_NETFILTER = 12;
const CT_GET = 0x101;
const CT_DELETE = 0x102;
const NLM_F_REQUEST = 0x1;
const NLM_F_ACK = 0x4;
const NLM_F_DUMP = 0x300;
const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;
const MSG_DONTWAIT = 0x40;
const CTA = { TUPLE_ORIG: 1, TUPLE_REPLY: 2, ZONE: 18, FILTER: 25 } as const;
const CTA_TUPLE = { IP: 1, PROTO: 2 } as const;
const CTA_IP_V4_SRC = 1;
const CTA_PROTO_NUM = 1;
const CTA_FILTER = { ORIG_FLAGS: 1, REPLY_FLAGS: 2 } as const;
const FILTER_IP_SRC = 1;
const IPPROTO_UDP = 17;
const ENOENT = 2;
const HEADER = 20; // struct nlmsghdr and struct nfgenmsg

/**
 * Ends the UDP flows that lead to an address. The kernel translates a flow as its first packet was, for as long as packets come:
 * a client that goes on sending would be led to an address that is no longer there. Works in the thread's network namespace.
 */
export function endUdpFlowsTo(address: Buffer): void {
  const fd = check(libc.socket(AF_NETLINK, SOCK_RAW_CLOEXEC, NETLINK_NETFILTER), 'socket', 'conntrack');
  try {
    const replies = [...answers(fd, message(CT_GET, NLM_F_DUMP, filterFor(address)))];
    for (const flow of replies.filter((each) => leadsTo(each, address))) remove(fd, flow);
  } finally {
    closeDescriptor(fd);
  }
}

/** Kernels since 5.8 look for us; older ones list all, and we look. */
function filterFor(address: Buffer): Buffer {
  const flags = Buffer.alloc(4);
  flags.writeUInt32LE(FILTER_IP_SRC);
  return Buffer.concat([
    attribute(CTA.FILTER, [attribute(CTA_FILTER.ORIG_FLAGS, 0), attribute(CTA_FILTER.REPLY_FLAGS, flags)]),
    attribute(CTA.TUPLE_REPLY, [attribute(CTA_TUPLE.IP, [attribute(CTA_IP_V4_SRC, address)])]),
  ]);
}

function leadsTo(flow: Buffer, address: Buffer): boolean {
  const reply = attributes(attributes(flow, 0).get(CTA.TUPLE_REPLY) ?? Buffer.alloc(0), 0);
  const source = attributes(reply.get(CTA_TUPLE.IP) ?? Buffer.alloc(0), 0).get(CTA_IP_V4_SRC);
  const protocol = attributes(reply.get(CTA_TUPLE.PROTO) ?? Buffer.alloc(0), 0).get(CTA_PROTO_NUM);
  return protocol?.[0] === IPPROTO_UDP && source?.equals(address) === true;
}

function remove(fd: number, flow: Buffer): void {
  const found = attributes(flow, 0);
  const original = found.get(CTA.TUPLE_ORIG);
  const zone = found.get(CTA.ZONE);
  // A request without the tuple would mean every flow of the host.
  if (original === undefined) return;
  const body = [attribute(CTA.TUPLE_ORIG | 0x8000, original)];
  if (zone !== undefined) body.push(attribute(CTA.ZONE, zone));
  for (const _ of answers(fd, message(CT_DELETE, NLM_F_ACK, Buffer.concat(body)))); // only errors are answered
}

function message(type: number, flags: number, body: Buffer): Buffer {
  const header = Buffer.alloc(HEADER);
  header.writeUInt32LE(HEADER + body.length, 0);
  header.writeUInt16LE(type, 4);
  header.writeUInt16LE(flags | NLM_F_REQUEST, 6);
  header[16] = AF_INET; // nfgenmsg.nfgen_family
  return Buffer.concat([header, body]);
}

const datagram = Buffer.allocUnsafeSlow(65536);

/** The bodies of all answers, up to the acknowledgement. The kernel has them ready when the request is sent. */
function* answers(fd: number, request: Buffer): Generator<Buffer> {
  check(Number(libc.send(fd, request, BigInt(request.length), MSG_DONTWAIT)), 'send', 'conntrack');
  for (;;) {
    const size = Number(libc.recv(fd, datagram, BigInt(datagram.length), MSG_DONTWAIT));
    const bytes = Buffer.from(datagram.subarray(0, check(size, 'recv', 'conntrack')));
    for (let at = 0; at + 16 <= bytes.length; ) {
      const length = bytes.readUInt32LE(at);
      const type = bytes.readUInt16LE(at + 4);
      if (type === NLMSG_DONE) return;
      if (type === NLMSG_ERROR) {
        const errno = -bytes.readInt32LE(at + 16);
        if (errno !== 0 && errno !== ENOENT) throw new SystemError('conntrack', errno);
        return;
      }
      yield bytes.subarray(at + HEADER, at + length);
      at += (length + 3) & ~3;
    }
  }
}
