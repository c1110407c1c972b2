import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect, isIPv6, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { connectDatagram } from '../../../../kit/linux/datagram.ts';
import type { Destination } from './destination.ts';

const connectMs = 5_000;
/** Between two looks whether a receiver has taken something off its queue. */
const fullQueueMs = 10;

/** A unix datagram socket: one message a packet. */
export function openDatagrams(path: string): Destination {
  const socket = connectDatagram(path);
  return {
    async send(messages) {
      for (const message of messages) while (!socket.send(message)) await delay(fullQueueMs);
    },
    close: () => socket.close(),
  };
}

/** Bytes, one message behind the other. */
export async function openStream(
  where: { path: string } | { host: string; port: number; tls?: TlsOptions },
): Promise<Destination> {
  const socket = 'path' in where ? connect(where.path) : where.tls ? connectTls(where, where.tls) : connect(where);
  const failed = new Promise<never>((_, reject) => {
    socket.on('error', reject);
    socket.on('close', () => reject(new Error('the receiver has closed the connection')));
  });
  failed.catch(() => {});
  // What it may say is nothing to us; reading notices its end.
  socket.resume();
  try {
    const event = 'path' in where || !where.tls ? 'connect' : 'secureConnect';
    await Promise.race([once(socket, event, { signal: AbortSignal.timeout(connectMs) }), failed]);
  } catch (error) {
    socket.destroy();
    throw error;
  }
  return {
    send: (messages) =>
      Promise.race([failed, new Promise<void>((resolve) => socket.write(Buffer.concat(messages), () => resolve()))]),
    close: () => socket.destroy(),
  };
}

export interface TlsOptions {
  /** Paths. */
  ca: string;
  cert: string;
  key: string;
  skipVerify: boolean;
}

function connectTls({ host, port }: { host: string; port: number }, files: TlsOptions): Socket {
  // Loaded when it is needed; a bundle cannot import() what Node has built in.
  const tls = process.getBuiltinModule('node:tls');
  return tls.connect({
    host,
    port,
    servername: isIPv6(host) || /^[\d.]+$/.test(host) ? '' : host,
    rejectUnauthorized: !files.skipVerify,
    ...(files.ca && { ca: readFileSync(files.ca) }),
    ...(files.cert && { cert: readFileSync(files.cert) }),
    ...(files.key && { key: readFileSync(files.key) }),
  });
}

/** That nobody receives is told, where the receiver's host says so, only after a message was sent. */
export async function openUdp(host: string, port: number): Promise<Destination> {
  const { createSocket } = process.getBuiltinModule('node:dgram');
  const socket = createSocket(isIPv6(host) ? 'udp6' : 'udp4');
  const failed = new Promise<never>((_, reject) => socket.on('error', reject));
  failed.catch(() => {});
  await Promise.race([new Promise<void>((resolve) => socket.connect(port, host, () => resolve())), failed]);
  const sendOne = (message: Buffer) =>
    new Promise<void>((resolve, reject) => {
      socket.send(message, (error) => (error ? reject(error) : resolve()));
    });
  return {
    async send(messages) {
      for (const message of messages) await Promise.race([sendOne(message), failed]);
    },
    close: () => socket.close(),
  };
}
