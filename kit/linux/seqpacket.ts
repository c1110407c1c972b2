import type { Socket } from 'node:net';
import { basename, dirname } from 'node:path';
import { closeDescriptor, cpath, OpenFlag, openDescriptor } from './libc.ts';
import { streamOver } from './stream.ts';
import { connectUnix, SOCK_SEQPACKET } from './unix-socket.ts';

/** sun_path of unix(7), less its NUL. */
const LONGEST_PATH = 107;

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
    const name = directory === undefined ? path : `/proc/self/fd/${directory}/${basename(path)}`;
    const fd = connectUnix(SOCK_SEQPACKET, Buffer.from(`${name}\0`), path);
    return streamOver(fd, { readable: true, writable: true, allowHalfOpen: true });
  } finally {
    if (directory !== undefined) closeDescriptor(directory);
  }
}
