import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { BadRequest } from './errors.ts';
import type { Hijacked } from './exchange.ts';

/** A connection whose client asked for an upgrade: Node has stopped to read HTTP from it. */
export type Upgrade = Duplex;

/**
 * Takes a connection out of HTTP's hands. Docker's clients do it in three ways:
 * with an upgrade (101, then bare bytes both ways); without one but with nothing more to say in HTTP (200, then bare bytes
 * both ways); or with a body of unknown length, which then is the input.
 */
export function hijack(
  request: IncomingMessage,
  response: ServerResponse,
  upgrade: Upgrade | undefined,
  type: string,
): Hijacked {
  if (upgrade !== undefined) {
    // Where the request has a body, this is not the socket itself but what Node reads of it behind that body.
    response.detachSocket(upgrade as Socket);
    upgrade.write(`HTTP/1.1 101 UPGRADED\r\nContent-Type: ${type}\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n`);
    return { input: upgrade, output: upgrade };
  }
  if (request.complete) {
    const socket = bareSocket(request, response);
    socket.write(`HTTP/1.1 200 OK\r\nContent-Type: ${type}\r\n\r\n`);
    return { input: socket, output: socket };
  }
  // Without a length or chunks the answer ends with the connection, as a reader of bare bytes expects.
  response.useChunkedEncodingByDefault = false;
  response.shouldKeepAlive = false;
  response.writeHead(200, { 'Content-Type': type });
  response.flushHeaders();
  return { input: request, output: response };
}

/** Docker's largest frames are those of an interactive client; more at once has no use. */
const largestFrame = 1024 * 1024;

const normalClosure = 1000;

/** RFC 6455. Ends with a close frame; what the client's frames hold is one stream of bytes, whatever their kind. */
export async function openWebSocket(
  request: IncomingMessage,
  response: ServerResponse,
  upgrade: Upgrade | undefined,
): Promise<Hijacked> {
  if (upgrade === undefined || request.headers.upgrade?.toLowerCase() !== 'websocket') {
    throw new BadRequest('not websocket protocol');
  }
  // Loaded when somebody asks for it: few do.
  const { createWebSocketStream, WebSocketServer } = await import('ws');
  const server = new WebSocketServer({ noServer: true, maxPayload: largestFrame, perMessageDeflate: false });
  response.detachSocket(upgrade as Socket);
  const { promise, resolve, reject } = Promise.withResolvers<Hijacked>();
  upgrade.once('close', () => reject(new Error('the client went away before the connection was a WebSocket')));
  server.handleUpgrade(request, upgrade, Buffer.alloc(0), (socket) => {
    const { close } = socket;
    // A stream's end names no status; Docker's says that all is well (RFC 6455 §7.4.1).
    socket.close = (code = normalClosure, reason) => close.call(socket, code, reason);
    const stream = createWebSocketStream(socket);
    // What is wrong with the connection ends it, and that is what counts.
    stream.on('error', () => socket.terminate());
    resolve({ input: stream, output: stream });
  });
  return promise;
}

/**
 * Does what Node itself does at an upgrade. Its own `close` listener stays, since it gives back the parser; the first
 * listener for data takes the reading from the parser.
 */
function bareSocket(request: IncomingMessage, response: ServerResponse): Duplex {
  const { socket } = request;
  response.detachSocket(socket);
  for (const event of ['data', 'end', 'drain', 'error', 'timeout']) socket.removeAllListeners(event);
  socket.setTimeout(0);
  socket.on('error', () => socket.destroy());
  return socket;
}
