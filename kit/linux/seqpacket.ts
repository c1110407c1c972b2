import type { Socket } from 'node:net';
import { streamOver } from './stream.ts';
import { connectUnixPath, SOCK_SEQPACKET } from './unix-socket.ts';

/**
 * Connects to a SOCK_SEQPACKET socket such as conmon's `attach`, at a path of any length. In the stream each `data` is
 * one packet and each write is one packet; ending it shuts down our direction only. The listener may cut what is longer
 * than it reads at once: conmon takes 32768 bytes. Throws a SystemError: ENOENT, ECONNREFUSED (nobody listens), EAGAIN
 * (the listener's queue is full).
 */
export function connectSeqpacket(path: string): Socket {
  return streamOver(connectUnixPath(SOCK_SEQPACKET, path), { readable: true, writable: true, allowHalfOpen: true });
}
