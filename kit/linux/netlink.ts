import { check, closeDescriptor, libc } from './libc.ts';
import { SystemError } from './system-error.ts';

/** Netlink's wire format (netlink(7), RFC 3549): messages of attributes, native byte order. */

const AF_NETLINK = 16;
const NETLINK_ROUTE = 0;
const SOCK_RAW_CLOEXEC = 3 | 0x80000;
const SOL_NETLINK = 270;
const NETLINK_CAP_ACK = 10;
const NETLINK_EXT_ACK = 11;
const MSG_DONTWAIT = 0x40;
const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;
const NLM_F_REQUEST = 0x1;
const NLM_F_ACK = 0x4;
const NLM_F_DUMP_INTR = 0x10;
const NLM_F_DUMP = 0x300;
const NLM_F_ACK_TLVS = 0x200;
const NLMSGERR_ATTR_MSG = 1;
const HEADER = 16;
const DUMP_TRIES = 8;
const EAGAIN = 11;
/** As many acknowledgements as surely fit a receive buffer of the default size. */
const BATCH = 64;

const align = (length: number): number => (length + 3) & ~3;

/** One request of a batch. `what` names it in an error: `create bridge br0`. */
export type Request = { readonly what: string; readonly type: number; readonly flags: number; readonly body: Buffer };

/** A message of an answer: its type and what follows the header. */
export type Message = { readonly type: number; readonly body: Buffer };

/** An attribute: type, then bytes, a string (sent with its NUL), an unsigned 32-bit number, or attributes nested in it. */
export function attribute(type: number, value: Buffer | string | number | readonly Buffer[]): Buffer {
  const nested = Array.isArray(value);
  const bytes = payload(value);
  const result = Buffer.alloc(align(4 + bytes.length));
  result.writeUInt16LE(4 + bytes.length, 0);
  result.writeUInt16LE(nested ? type | 0x8000 : type, 2); // NLA_F_NESTED
  bytes.copy(result, 4);
  return result;
}

function payload(value: Buffer | string | number | readonly Buffer[]): Buffer {
  if (typeof value === 'string') return Buffer.from(`${value}\0`);
  if (typeof value === 'number') {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32LE(value);
    return bytes;
  }
  return Buffer.isBuffer(value) ? value : Buffer.concat(value);
}

/** The attributes from `offset` to the end of the body, by type. */
export function attributes(body: Buffer, offset: number): Map<number, Buffer> {
  const found = new Map<number, Buffer>();
  for (let at = offset; at + 4 <= body.length; ) {
    const length = body.readUInt16LE(at);
    if (length < 4 || at + length > body.length) break;
    found.set(body.readUInt16LE(at + 2) & 0x3fff, body.subarray(at + 4, at + length));
    at += align(length);
  }
  return found;
}

/** A string attribute without its NUL. */
export function text(value: Buffer | undefined): string | undefined {
  return value?.toString('utf8').replace(/\0+$/, '');
}

function message(request: Request, sequence: number): Buffer {
  const header = Buffer.alloc(HEADER);
  header.writeUInt32LE(HEADER + request.body.length, 0);
  header.writeUInt16LE(request.type, 4);
  header.writeUInt16LE(request.flags | NLM_F_REQUEST, 6);
  header.writeUInt32LE(sequence, 8);
  return Buffer.concat([header, request.body]);
}

type Envelope = Message & { readonly flags: number; readonly sequence: number };

function* envelopes(datagram: Buffer): Generator<Envelope> {
  for (let at = 0; at + HEADER <= datagram.length; ) {
    const length = datagram.readUInt32LE(at);
    if (length < HEADER || at + length > datagram.length) return;
    yield {
      type: datagram.readUInt16LE(at + 4),
      flags: datagram.readUInt16LE(at + 6),
      sequence: datagram.readUInt32LE(at + 8),
      body: datagram.subarray(at + HEADER, at + length),
    };
    at += align(length);
  }
}

/** One for all sockets: what is received is copied at once, and 64 KiB a request would pile up until they are collected. */
const received = Buffer.allocUnsafe(65536);

/**
 * A netlink socket of the network namespace that the thread is in now; of rtnetlink, unless another protocol is named. The kernel carries a request out before send(2)
 * returns, so an answer is always waiting: nothing here can block.
 */
class NetlinkSocket {
  readonly #fd: number;

  constructor(protocol = NETLINK_ROUTE) {
    this.#fd = check(libc.socket(AF_NETLINK, SOCK_RAW_CLOEXEC, protocol), 'socket', 'netlink');
    const on = Buffer.from([1, 0, 0, 0]);
    for (const option of [NETLINK_CAP_ACK, NETLINK_EXT_ACK]) libc.setsockopt(this.#fd, SOL_NETLINK, option, on, 4);
  }

  send(bytes: Buffer): void {
    check(Number(libc.send(this.#fd, bytes, BigInt(bytes.length), MSG_DONTWAIT)), 'send', 'netlink');
  }

  receive(): Generator<Envelope> {
    const size = BigInt(received.length);
    const length = check(Number(libc.recv(this.#fd, received, size, MSG_DONTWAIT)), 'recv', 'netlink');
    return envelopes(Buffer.from(received.subarray(0, length)));
  }

  [Symbol.dispose](): void {
    closeDescriptor(this.#fd);
  }
}

/** NLMSG_ERROR: an errno (0 is success), the request's header, and the kernel's words in an attribute. */
function refusal(answer: Envelope, what: string): SystemError | undefined {
  const errno = -answer.body.readInt32LE(0);
  if (errno === 0) return undefined;
  const words = answer.flags & NLM_F_ACK_TLVS ? attributes(answer.body, 4 + HEADER).get(NLMSGERR_ATTR_MSG) : undefined;
  return new SystemError('rtnetlink', errno, what, text(words));
}

function sendBatch(requests: readonly Request[]): SystemError | undefined {
  using socket = new NetlinkSocket();
  const acknowledged = requests.map((request, index) =>
    message({ ...request, flags: request.flags | NLM_F_ACK }, index),
  );
  socket.send(Buffer.concat(acknowledged));
  let failure: SystemError | undefined;
  for (let left = requests.length; left > 0; ) {
    for (const answer of socket.receive()) {
      if (answer.type !== NLMSG_ERROR) continue;
      left--;
      failure ??= refusal(answer, requests[answer.sequence]?.what ?? '');
    }
  }
  return failure;
}

/**
 * Sends all requests at once and collects their acknowledgements. The kernel tries each, whatever became of the one
 * before; the first refusal is thrown. Above BATCH requests it takes several sends, for the acknowledgements' sake.
 */
export function send(requests: readonly Request[]): void {
  let failure: SystemError | undefined;
  for (let at = 0; at < requests.length; at += BATCH) {
    const refused = sendBatch(requests.slice(at, at + BATCH));
    failure ??= refused;
  }
  if (failure) throw failure;
}

/** The one message that answers a question to a protocol of netlink. */
export function ask(protocol: number, request: Request): Message {
  using socket = new NetlinkSocket(protocol);
  socket.send(message(request, 0));
  for (const answer of socket.receive()) {
    const failure = answer.type === NLMSG_ERROR ? refusal(answer, request.what) : undefined;
    if (failure) throw failure;
    return answer;
  }
  throw new SystemError('recv', EAGAIN, request.what, 'the kernel did not answer');
}

function dumpOnce(request: Request): Message[] | undefined {
  using socket = new NetlinkSocket();
  socket.send(message({ ...request, flags: request.flags | NLM_F_DUMP }, 0));
  const found: Message[] = [];
  let interrupted = false;
  for (;;) {
    for (const answer of socket.receive()) {
      interrupted ||= (answer.flags & NLM_F_DUMP_INTR) !== 0;
      if (answer.type === NLMSG_DONE) return interrupted ? undefined : found;
      if (answer.type !== NLMSG_ERROR) found.push(answer);
      else {
        const failure = refusal(answer, request.what);
        if (failure) throw failure;
      }
    }
  }
}

/** Everything of a kind. Asked again when the kernel says that the list changed while it was read. */
export function dump(request: Request): Message[] {
  for (let tries = 0; tries < DUMP_TRIES; tries++) {
    const found = dumpOnce(request);
    if (found) return found;
  }
  throw new SystemError('rtnetlink', EAGAIN, request.what, 'the list kept changing while it was read');
}
