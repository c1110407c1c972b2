import type { Socket } from 'node:net';
import { peerCredentials } from '../kit/linux/unix-socket.ts';

const known = new WeakMap<Socket, string>();

/** Who is at the other end: `pid 4711 uid 0 gid 0` on a unix socket, as the kernel noted it; the address on TCP. */
export function peerOf(socket: Socket): string {
  let peer = known.get(socket);
  if (peer === undefined) {
    peer = socket.remoteAddress === undefined ? localPeer(socket) : `${socket.remoteAddress}:${socket.remotePort}`;
    known.set(socket, peer);
  }
  return peer;
}

function localPeer(socket: Socket): string {
  // Node has no public way to a socket's descriptor.
  const handle: unknown = Reflect.get(socket, '_handle');
  const fd: unknown = typeof handle === 'object' && handle !== null ? Reflect.get(handle, 'fd') : undefined;
  if (typeof fd !== 'number' || fd < 0) return 'gone';
  const { pid, uid, gid } = peerCredentials(fd);
  return `pid ${pid} uid ${uid} gid ${gid}`;
}
