import { basename, dirname } from 'node:path';
import { check, closeDescriptor, cpath, libc, OpenFlag, openDescriptor } from './libc.ts';

const AF_UNIX = 1;
const SOCK_NONBLOCK = 0x800;
const SOCK_CLOEXEC = 0x80000;
const SOL_SOCKET = 1;
const SO_PEERCRED = 17;

export const SOCK_STREAM = 1;
export const SOCK_DGRAM = 2;
export const SOCK_SEQPACKET = 5;

type SocketType = typeof SOCK_STREAM | typeof SOCK_DGRAM | typeof SOCK_SEQPACKET;

/** Connects to a unix socket, without waiting; `name` is its sun_path (unix(7)). Returns the descriptor. */
export function connectUnix(type: SocketType, name: Buffer, shownAs: string): number {
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
  const { pid } = peerCredentials(fd);
  return pid > 0 ? pid : undefined;
}

/** Who connected, or listened, when the connection was made (unix(7), SO_PEERCRED). A pid that we don't see is 0. */
export function peerCredentials(fd: number): { pid: number; uid: number; gid: number } {
  const credentials = Buffer.alloc(12); // struct ucred { pid, uid, gid }
  const length = Buffer.alloc(4);
  length.writeUInt32LE(credentials.length, 0);
  check(libc.getsockopt(fd, SOL_SOCKET, SO_PEERCRED, credentials, length), 'getsockopt');
  return { pid: credentials.readInt32LE(0), uid: credentials.readUInt32LE(4), gid: credentials.readUInt32LE(8) };
}

/** sun_path of unix(7), less its NUL. */
const LONGEST_PATH = 107;

/** The same at a path of any length. */
export function connectUnixPath(type: SocketType, path: string): number {
  cpath(path, 'connect');
  const isLong = Buffer.byteLength(path) > LONGEST_PATH;
  const directory = isLong ? openDescriptor(dirname(path), OpenFlag.PATH | OpenFlag.DIRECTORY) : undefined;
  try {
    const name = directory === undefined ? path : `/proc/self/fd/${directory}/${basename(path)}`;
    return connectUnix(type, Buffer.from(`${name}\0`), path);
  } finally {
    if (directory !== undefined) closeDescriptor(directory);
  }
}
