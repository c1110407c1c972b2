import { check, closeDescriptor, errno, libc } from './libc.ts';
import { connectUnixPath, SOCK_DGRAM } from './unix-socket.ts';

const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
const EAGAIN = 11;

/** A unix datagram socket that sends to one receiver. */
export interface Datagrams {
  /** False: the receiver's queue is full. Throws a SystemError: ECONNREFUSED when it is gone, EMSGSIZE. */
  send(bytes: Buffer): boolean;
  close(): void;
}

/** Throws a SystemError: ENOENT, ECONNREFUSED (nobody listens), EPROTOTYPE (it is no datagram socket). */
export function connectDatagram(path: string): Datagrams {
  const fd = connectUnixPath(SOCK_DGRAM, path);
  return {
    send(bytes) {
      const sent = Number(libc.send(fd, bytes, BigInt(bytes.length), MSG_DONTWAIT | MSG_NOSIGNAL));
      if (sent < 0 && errno() === EAGAIN) return false;
      check(sent, 'send', path);
      return true;
    },
    close: () => closeDescriptor(fd),
  };
}
