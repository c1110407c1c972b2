import type { Server as HttpServer } from 'node:http';
import type { Http2Server, ServerHttp2Session } from 'node:http2';
import type { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { ServiceConfig } from '../kit/service.ts';
import { openSocket, type PublicSocket } from './public-sockets.ts';
import type { Traffic } from './traffic.ts';

/** Each public socket takes REST and gRPC: the first bytes tell which. */
export interface FrontDoor {
  open(config: ServiceConfig, endpoints: readonly string[]): Promise<void>;
  /** Takes no more connections, lets requests in progress end for up to 5 s, and cuts what goes on without end. */
  close(): Promise<void>;
}

/** How every HTTP/2 connection begins (RFC 9113 §3.4); no method of HTTP/1.1 begins so. */
const preface = 'PRI';
const settleMs = 5000;
/** What was told to end has this long to send what is under way. */
const farewellMs = 300;
/** A connection that says nothing for so long is closed. */
const silenceMs = 120_000;

export function createFrontDoor(parts: { http: HttpServer; grpc: Http2Server; traffic: Traffic }): FrontDoor {
  const { http, grpc, traffic } = parts;
  const sockets: PublicSocket[] = [];
  const connections = new Set<Socket>();
  const sessions = new Set<ServerHttp2Session>();
  grpc.on('session', (session) => {
    sessions.add(session);
    session.on('close', () => sessions.delete(session));
  });

  function take(connection: Socket): void {
    connections.add(connection);
    connection.on('close', () => connections.delete(connection));
    sniff(connection, (isHttp2) => {
      if (isHttp2) {
        // It reads by itself what was put back; resuming would lose it.
        grpc.emit('connection', connection);
      } else {
        http.emit('connection', connection);
        connection.resume();
      }
    });
  }

  return {
    async open(config, endpoints) {
      for (const endpoint of endpoints) sockets.push(await openSocket(config, endpoint, take));
    },
    async close() {
      await Promise.all(sockets.map((socket) => socket.close()));
      await Promise.race([traffic.settled(), delay(settleMs, undefined, { ref: false })]);
      for (const session of sessions) session.close();
      for (const connection of connections) connection.destroySoon();
      const ended = [...connections].map((connection) => new Promise((resolve) => connection.once('close', resolve)));
      await Promise.race([Promise.all(ended), delay(farewellMs, undefined, { ref: false })]);
      for (const connection of connections) connection.destroy();
    },
  };
}

/** Looks at the first bytes of a connection and puts them back. */
function sniff(connection: Socket, decide: (isHttp2: boolean) => void): void {
  let seen = Buffer.alloc(0);
  const giveUp = () => connection.destroy();
  const look = (chunk: Buffer): void => {
    seen = Buffer.concat([seen, chunk]);
    const begin = seen.toString('latin1', 0, preface.length);
    if (begin.length < preface.length && preface.startsWith(begin)) return;
    connection.pause();
    connection.off('data', look).off('end', giveUp).off('error', giveUp).off('timeout', giveUp);
    connection.setTimeout(0);
    connection.unshift(seen);
    decide(begin === preface);
  };
  connection.on('data', look).on('end', giveUp).on('error', giveUp).on('timeout', giveUp);
  connection.setTimeout(silenceMs);
}
