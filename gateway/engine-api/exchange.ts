import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import type { Readable, Writable } from 'node:stream';
import { type Body, bodyOf } from './body.ts';
import { BadRequest } from './errors.ts';
import type { Query } from './query.ts';

/** A JSON body larger than this is refused; Docker's largest real ones are some tens of KiB. */
const largestBody = 4 * 1024 * 1024;

/** One request and its answer, as handlers see them. */
export interface Exchange {
  /** As `1.51`; the newest when the client names none. */
  readonly version: string;
  /** The named parts of the path, decoded. */
  readonly path: Readonly<Record<string, string>>;
  readonly query: Query;
  readonly request: IncomingMessage;
  /** Aborts when the client goes away. */
  readonly signal: AbortSignal;
  /** The JSON body; undefined when there is none. */
  body(): Promise<Body | undefined>;
  /** The same where further input may follow in the request's body: one in chunks need not have ended. */
  openingBody(): Promise<Body | undefined>;
  json(status: number, value: unknown): void;
  /** 200 with headers of its own. */
  text(headers: OutgoingHttpHeaders, text: string): void;
  /**
   * Asked right after the answer is given: true when the kernel has taken all of it, false when the client went away first.
   * Whether a client reads what it is sent HTTP does not tell.
   */
  taken(): Promise<boolean>;
  /** A status without a body: 201, 204, 304. */
  empty(status: number): void;
  /** Sends the head of a streamed answer; only the first call does anything. */
  stream(type: string, headers?: OutgoingHttpHeaders): void;
  /** Writes and waits while the client is behind. */
  write(chunk: string | Uint8Array): Promise<void>;
  end(): void;
  /** Takes the connection out of HTTP's hands, as `attach` does; see hijack.ts. */
  hijack(type: string): Hijacked;
  /** The connection as a WebSocket, bytes up and bytes down in frames. 400 when the client did not ask for one. */
  webSocket(): Promise<Hijacked>;
}

/** A connection that no longer speaks HTTP: bytes up, bytes down. */
export interface Hijacked {
  readonly input: Readable;
  readonly output: Writable;
}

export async function readBody(request: IncomingMessage): Promise<Body | undefined> {
  requireJson(request);
  const bytes = await readAll(request);
  if (bytes.length === 0) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString());
  } catch (cause) {
    throw new BadRequest(`invalid JSON: ${(cause as Error).message}`, { cause });
  }
  return bodyOf(value);
}

/** A body that is said to be something else is not read, as in Docker. */
function requireJson({ headers }: IncomingMessage): void {
  const type = headers['content-type'];
  if (type === undefined || /^\s*application\/json\s*(;|$)/i.test(type)) return;
  throw new BadRequest(`unsupported Content-Type header (${type}): must be 'application/json'`);
}

/** Reads chunks up to where an object is whole. */
export async function readOpeningBody(request: IncomingMessage): Promise<Body | undefined> {
  if (request.headers['transfer-encoding'] === undefined) return readBody(request);
  requireJson(request);
  let seen = Buffer.alloc(0);
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    seen = Buffer.concat([seen, chunk]);
    if (seen.length > largestBody) break;
    const value = parsed(seen);
    if (value !== undefined) return bodyOf(value);
  }
  if (seen.length === 0) return undefined;
  throw new BadRequest('invalid JSON: the body does not begin with an object');
}

function parsed(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString());
  } catch {
    return undefined;
  }
}

async function readAll(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > largestBody) throw new BadRequest(`the request's body is larger than ${largestBody} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** Waits for the reader when it is behind; ends with its going away. */
export function written(stream: Writable, chunk: string | Uint8Array): Promise<void> {
  if (stream.destroyed || stream.write(chunk)) return Promise.resolve();
  return new Promise((resolve) => {
    const done = () => {
      stream.off('drain', done);
      stream.off('close', done);
      resolve();
    };
    stream.on('drain', done);
    stream.on('close', done);
  });
}
