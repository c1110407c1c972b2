import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import type { Socket } from 'node:net';
import type { Engine } from '../engine.ts';

export interface Asked {
  status: number;
  /** What an error says. */
  message: string;
  body: string;
}

/** One request to the Engine API, with a body as it is. */
export function ask(
  engine: Engine,
  method: string,
  path: string,
  body?: string,
  type = 'application/json',
): Promise<Asked> {
  const { promise, resolve, reject } = Promise.withResolvers<Asked>();
  const socketPath = engine.host.slice('unix://'.length);
  const sent = request({ socketPath, method, path, headers: { 'Content-Type': type } }, (response) => {
    let text = '';
    response.on('data', (chunk) => {
      text += chunk;
    });
    response.on('end', () => {
      const isJson = /json/.test(response.headers['content-type'] ?? '');
      const message = isJson && text !== '' ? ((JSON.parse(text) as { message?: string }).message ?? '') : '';
      resolve({ status: response.statusCode ?? 0, message, body: text });
    });
  });
  sent.on('error', reject);
  sent.end(body);
  return promise;
}

/** A connection that was taken out of HTTP's hands: what is written goes to stdin, and what came until its end. */
export interface Line {
  socket: Socket;
  ended: Promise<Buffer>;
}

/** Asks for an upgrade, and resolves when the engine has agreed. */
export async function openLine(engine: Engine, path: string, body?: string): Promise<Line> {
  const kind = body === undefined ? {} : { 'Content-Type': 'application/json', 'Content-Length': body.length };
  const headers = { Connection: 'Upgrade', Upgrade: 'tcp', ...kind };
  const sent = request({ socketPath: engine.host.slice('unix://'.length), method: 'POST', path, headers });
  sent.end(body);
  const [, socket, head] = (await once(sent, 'upgrade')) as [IncomingMessage, Socket, Buffer];
  const pieces = [head];
  socket.on('data', (piece: Buffer) => pieces.push(piece));
  const ended = new Promise<Buffer>((resolve) => socket.once('close', () => resolve(Buffer.concat(pieces))));
  socket.on('error', () => {});
  return { socket, ended };
}
