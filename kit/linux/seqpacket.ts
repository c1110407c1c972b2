import type { Socket } from 'node:net';
import { basename, dirname } from 'node:path';
import { check, closeDescriptor, cpath, libc, OpenFlag, openDescriptor } from './libc.ts';
import { streamOver } from './stream.ts';

const AF_UNIX = 1;
const SOCK_SEQPACKET = 5;
const SOCK_NONBLOCK = 0x800;
const SOCK_CLOEXEC = 0x80000;
/** sun_path of unix(7), less its NUL. */
const LONGEST_PATH = 107;

/** struct sockaddr_un { u16 family; char path[108] }: the bytes, and how many of them count. */
function unixAddress(path: string): Buffer {
  const family = Buffer.alloc(2);
  family.writeUInt16LE(AF_UNIX, 0);
  return Buffer.concat([family, Buffer.from(path), Buffer.of(0)]);
}

/**
 * Connects to a SOCK_SEQPACKET socket such as conmon's `attach`, at a path of any length. In the stream each `data` is
 * one packet and each write is one packet; ending it shuts down our direction only. The listener may cut what is longer
 * than it reads at once: conmon takes 32768 bytes. Throws a SystemError: ENOENT, ECONNREFUSED (nobody listens), EAGAIN
 * (the listener's queue is full).
 */
export function connectSeqpacket(path: string): Socket {
  cpath(path, 'connect');
  const isLong = Buffer.byteLength(path) > LONGEST_PATH;
  const directory = isLong ? openDescriptor(dirname(path), OpenFlag.PATH | OpenFlag.DIRECTORY) : undefined;
  try {
    const address = unixAddress(directory === undefined ? path : `/proc/self/fd/${directory}/${basename(path)}`);
    const type = SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC;
    const fd = check(libc.socket(AF_UNIX, type, 0), 'socket', path);
    try {
      check(libc.connect(fd, address, address.length), 'connect', path);
    } catch (error) {
      closeDescriptor(fd);
      throw error;
    }
    return streamOver(fd, { readable: true, writable: true, allowHalfOpen: true });
  } finally {
    if (directory !== undefined) closeDescriptor(directory);
  }
}
