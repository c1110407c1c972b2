import type { Socket } from 'node:net';
import { connectSeqpacket } from '../../../kit/linux/seqpacket.ts';
import { allowedBehind, type Client } from './client.ts';

/** The monitor reads at most this much of a packet and silently drops the rest (CONN_SOCK_BUF_SIZE of conmon). */
const largestPacket = 32768;

/** The first byte of a packet from the monitor. All output of a terminal is stdout. */
const stdoutMark = 2;

/**
 * A container's stdio, shared by all clients that are attached to it: one connection to its monitor, so that what one client
 * does not take never reaches the monitor, which would wait for it and so hold up the container.
 */
export interface Hub {
  join(client: Client): void;
  leave(client: Client): void;
  /** Resolves when the monitor has room for more. Does nothing once the input is closed. */
  write(bytes: Uint8Array): Promise<void>;
  /** Ends the connection's input, which ends the container's if the monitor was told so. Output goes on. */
  closeInput(): void;
  readonly clients: number;
  /** A client that is behind keeps what the monitor has sent from being read. */
  readonly isHeldBack: boolean;
  /** Settles when the monitor has delivered everything. */
  readonly ended: Promise<void>;
  close(): void;
}

/** Throws when the monitor is not there: ENOENT, ECONNREFUSED. */
export function connectHub(attachSocket: string): Hub {
  const socket = connectSeqpacket(attachSocket);
  const clients = new Set<Client>();
  const { promise: ended, resolve: end } = Promise.withResolvers<void>();
  let inputClosed = false;
  let writing: Promise<void> = Promise.resolve();

  const holdOrGoOn = () => {
    const late = [...clients].some((client) => !client.isOver && client.behind > allowedBehind);
    if (late) socket.pause();
    else if (socket.isPaused()) socket.resume();
  };
  socket.on('data', (packet: Buffer) => {
    const stream = packet[0] === stdoutMark ? 'stdout' : 'stderr';
    const bytes = packet.subarray(1);
    for (const client of clients) client.deliver(stream, bytes);
    holdOrGoOn();
  });
  // Ours would stay open: the input could go on without the output.
  socket.on('end', () => socket.destroy());
  socket.on('close', end);
  // A monitor that is killed resets the connection; `close` follows.
  socket.on('error', () => {});

  return {
    get clients() {
      return clients.size;
    },
    get isHeldBack() {
      return socket.isPaused();
    },
    ended,
    join(client) {
      clients.add(client);
      client.onTaken = holdOrGoOn;
    },
    leave(client) {
      clients.delete(client);
      client.onTaken = () => {};
      holdOrGoOn();
    },
    write(bytes) {
      writing = writing.then(async () => {
        for (let at = 0; at < bytes.length && !inputClosed && !socket.destroyed; at += largestPacket) {
          await writePacket(socket, bytes.subarray(at, at + largestPacket));
        }
      });
      return writing;
    },
    closeInput() {
      void writing.then(() => {
        if (inputClosed) return;
        inputClosed = true;
        socket.end();
      });
    },
    close() {
      socket.destroy();
    },
  };
}

/** One at a time: a stream joins writes that wait into one packet, and that may become too large. */
function writePacket(socket: Socket, packet: Uint8Array): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      socket.off('close', done);
      resolve();
    };
    socket.once('close', done);
    socket.write(packet, done);
  });
}
