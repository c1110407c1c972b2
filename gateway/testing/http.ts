import { once } from 'node:events';
import { type IncomingMessage, type OutgoingHttpHeaders, request } from 'node:http';
import { connect, type Socket } from 'node:net';

export interface Answered {
  status: number;
  headers: IncomingMessage['headers'];
  text: string;
}

/** One request to the socket, read to its end. A body that is no text or bytes is sent as JSON. */
export async function ask(socketPath: string, what: string, body?: unknown): Promise<Answered> {
  const response = await begin(socketPath, what, body);
  const chunks: Buffer[] = [];
  for await (const chunk of response as AsyncIterable<Buffer>) chunks.push(chunk);
  return { status: response.statusCode ?? 0, headers: response.headers, text: Buffer.concat(chunks).toString() };
}

export async function askJson(socketPath: string, what: string, body?: unknown) {
  const { status, text } = await ask(socketPath, what, body);
  return { status, value: text === '' ? undefined : JSON.parse(text) };
}

/** One request to the socket, up to the head of its answer. */
export async function begin(
  socketPath: string,
  what: string,
  body?: unknown,
  headers: OutgoingHttpHeaders = {},
): Promise<IncomingMessage> {
  const [method, path] = what.split(' ');
  const sent = request({ socketPath, method, path, headers, agent: false });
  sent.end(body === undefined || typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body));
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  return response;
}

/** A connection that speaks bytes: the head of the answer to what is sent first, then whatever comes. */
export interface Raw {
  readonly socket: Socket;
  readonly head: string;
  /** Reads until so many bytes are there, or the other side ends. */
  read(size?: number): Promise<Buffer>;
}

export async function raw(path: string, request: string): Promise<Raw> {
  const socket = connect({ path, allowHalfOpen: true });
  let seen = Buffer.alloc(0);
  let news = Promise.withResolvers<void>();
  let isOver = false;
  const tell = () => {
    news.resolve();
    news = Promise.withResolvers();
  };
  socket.on('data', (chunk: Buffer) => {
    seen = Buffer.concat([seen, chunk]);
    tell();
  });
  for (const event of ['end', 'close', 'error']) {
    socket.on(event, () => {
      isOver = true;
      tell();
    });
  }
  socket.write(request);
  while (!isOver && !seen.includes('\r\n\r\n')) await news.promise;
  const at = seen.indexOf('\r\n\r\n') + 4;
  const head = seen.subarray(0, at).toString();
  seen = seen.subarray(at);
  return {
    socket,
    head,
    async read(size = Number.POSITIVE_INFINITY) {
      while (!isOver && seen.length < size) await news.promise;
      const taken = seen.subarray(0, Math.min(size, seen.length));
      seen = seen.subarray(taken.length);
      return taken;
    },
  };
}
