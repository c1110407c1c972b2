import { check, closeDescriptor, libc } from './libc.ts';

const AF_UNIX = 1;
const SOCK_NONBLOCK = 0x800;
const SOCK_CLOEXEC = 0x80000;
const SOL_SOCKET = 1;
const SO_PEERCRED = 17;

export const SOCK_STREAM = 1;
export const SOCK_SEQPACKET = 5;

/** Connects to a unix socket, without waiting; `name` is its sun_path (unix(7)). Returns the descriptor. */
export function connectUnix(type: typeof SOCK_STREAM | typeof SOCK_SEQPACKET, name: Buffer, shownAs: string): number {
  const family = Buffer.alloc(2); // struct sockaddr_un { u16 family; char path[108] }
  family.writeUInt16LE(AF_UNIX, 0);
  const address = Buffer.concat([family, name]);
  const fd = check(libc.socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), 'socket', shownAs);
  try {
    check(libc.connect(fd, address, address.length), 'connect', shownAs);
    return fd;
  } catch (error) {
    closeDescriptor(fd);
    throw error;
  }
}

/** The process that listens at the other end, as the kernel knows it. Undefined if it is of a pid namespace we don't see. */
export function peerPid(fd: number): number | undefined {
  const credentials = Buffer.alloc(12); // struct ucred { pid, uid, gid }
  const length = Buffer.alloc(4);
  length.writeUInt32LE(credentials.length, 0);
  check(libc.getsockopt(fd, SOL_SOCKET, SO_PEERCRED, credentials, length), 'getsockopt');
  const pid = credentials.readInt32LE(0);
  return pid > 0 ? pid : undefined;
}
