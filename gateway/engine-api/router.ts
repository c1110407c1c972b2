import type { IncomingMessage, ServerResponse } from 'node:http';
import { messageOf } from '../../kit/errors.ts';
import type { Logger } from '../../kit/log.ts';
import { childTraceparent, withCall } from '../../kit/rpc/call.ts';
import type { Audit } from '../audit.ts';
import type { Traffic } from '../traffic.ts';
import { BadRequest, notFound, statusOf } from './errors.ts';
import { type Exchange, readBody, readOpeningBody, written } from './exchange.ts';
import { hijack, openWebSocket, type Upgrade } from './hijack.ts';
import { queryOf } from './query.ts';
import { newestVersion, requireSupported } from './version.ts';

export type Handler = (exchange: Exchange) => Promise<void> | void;

/** A route is `METHOD /path/{name}/verb`. `{name}` is one part, `{name:*}` any number of them (image names and links have slashes). */
export type Routes = Readonly<Record<string, Handler>>;

interface Route {
  pattern: RegExp;
  handler: Handler;
}

/** By method and first part, which every route names: a request is compared with a dozen of them. */
type Table = ReadonlyMap<string, readonly Route[]>;

/** Answers HTTP requests of the Engine API. Which version is spoken is the path's prefix, `/v1.51/…`. */
export type Answer = (request: IncomingMessage, response: ServerResponse, upgrade?: Upgrade) => void;

/** What the front door's two sides share. */
export interface Desk {
  traffic: Traffic;
  audit: Audit;
  log: Logger;
}

export function createRouter(routes: Routes, desk: Desk): Answer {
  const table = tableOf(routes);
  return (request, response, upgrade) => {
    void answer(table, desk, request, response, upgrade);
  };
}

/** One for all: each request ends by it, and to make one captures a stack. */
const hungUp = new DOMException('the client has its answer, or has hung up', 'AbortError');

function tableOf(routes: Routes): Table {
  const compiled = Object.entries(routes).map(([key, handler]) => {
    const [method = '', path = ''] = key.split(' ');
    const source = path.replace(/\{(\w+)(:\*)?\}/g, (_, name, many) => `(?<${name}>${many ? '.+' : '[^/]+'})`);
    return { place: placeOf(method, path), route: { pattern: new RegExp(`^${source}$`), handler } };
  });
  const groups = Map.groupBy(compiled, ({ place }) => place);
  return new Map([...groups].map(([place, members]) => [place, members.map(({ route }) => route)]));
}

function placeOf(method: string, path: string): string {
  return `${method} ${path.split('/', 2)[1] ?? ''}`;
}

async function answer(
  table: Table,
  { traffic, audit, log }: Desk,
  request: IncomingMessage,
  response: ServerResponse,
  upgrade: Upgrade | undefined,
): Promise<void> {
  const gone = new AbortController();
  response.on('close', () => gone.abort(hungUp));
  response.setHeader('Api-Version', newestVersion);
  response.setHeader('Ostype', 'linux');
  response.setHeader('Server', 'Longshore (linux)');
  const { method = 'GET', url = '/' } = request;
  const begun = performance.now();
  const left = traffic.enter(() => response.headersSent || response.socket === null);
  try {
    const { version, path, parameters } = parseUrl(url);
    const { handler, names } = find(table, method, path);
    const exchange = exchangeOf(request, response, upgrade, { version, path: names, query: queryOf(parameters) }, gone);
    await withCall(callOf(request, gone.signal), async () => {
      audit.enter(request.socket);
      return handler(exchange);
    });
  } catch (error) {
    if (!gone.signal.aborted) refuse(response, error, method, url, log);
  } finally {
    left();
    const took = (performance.now() - begun).toFixed(1);
    log.debug({ method, url, status: response.statusCode, ms: took }, 'request');
  }
}

function parseUrl(url: string): { version: string; path: string; parameters: URLSearchParams } {
  const at = url.indexOf('?');
  const whole = at < 0 ? url : url.slice(0, at);
  const [, version, path = '/'] = /^(?:\/v([\d.]+))?(\/.*)$/.exec(whole) ?? [];
  if (version !== undefined) requireSupported(version);
  return { version: version ?? newestVersion, path, parameters: new URLSearchParams(at < 0 ? '' : url.slice(at + 1)) };
}

function find(table: Table, method: string, path: string): { handler: Handler; names: Record<string, string> } {
  for (const route of table.get(placeOf(method, path)) ?? []) {
    const match = route.pattern.exec(path);
    if (match === null) continue;
    const names = Object.entries(match.groups ?? {}).map(([name, value]) => [name, decoded(value)]);
    return { handler: route.handler, names: Object.fromEntries(names) };
  }
  throw notFound('page not found');
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw new BadRequest(`"${part}" is not well-formed in a path`);
  }
}

/** A client may name its request and its trace; what could not stand in gRPC metadata is left out. */
function callOf(request: IncomingMessage, signal: AbortSignal) {
  const { traceparent, 'x-request-id': requestId } = request.headers;
  return {
    signal,
    traceparent: childTraceparent(typeof traceparent === 'string' ? traceparent : undefined),
    ...(typeof requestId === 'string' && /^[\w.:/-]{1,128}$/.test(requestId) && { requestId }),
  };
}

function refuse(response: ServerResponse, error: unknown, method: string, url: string, log: Logger): void {
  const status = statusOf(error);
  if (status === 500) log.error({ err: error, method, url }, 'request failed');
  if (response.headersSent || response.socket === null || response.destroyed) {
    // What was begun cannot be taken back: a cut connection tells the client that it is not whole.
    response.destroy();
    return;
  }
  response.writeHead(status, { 'Content-Type': 'application/json' });
  response.end(`${JSON.stringify({ message: messageOf(error) })}\n`);
}

function exchangeOf(
  request: IncomingMessage,
  response: ServerResponse,
  upgrade: Upgrade | undefined,
  asked: Pick<Exchange, 'version' | 'path' | 'query'>,
  gone: AbortController,
): Exchange {
  return {
    ...asked,
    request,
    signal: gone.signal,
    body: () => readBody(request),
    openingBody: () => readOpeningBody(request),
    json(status, value) {
      const text = `${JSON.stringify(value)}\n`;
      response.writeHead(status, { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(text) });
      response.end(text);
    },
    text(headers, text) {
      response.writeHead(200, headers);
      response.end(text);
    },
    taken: () =>
      new Promise((resolve) => {
        if (gone.signal.aborted) resolve(false);
        response.once('finish', () => resolve(true));
        response.once('close', () => resolve(false));
      }),
    empty(status) {
      response.writeHead(status, status === 201 ? { 'Content-Length': 0 } : {});
      response.end();
    },
    stream(type, headers = {}) {
      if (response.headersSent) return;
      response.writeHead(200, { ...headers, 'Content-Type': type });
      response.flushHeaders();
    },
    write: (chunk) => written(response, chunk),
    end: () => void response.end(),
    hijack(type) {
      const taken = hijack(request, response, upgrade, type);
      taken.output.on('close', () => gone.abort(hungUp));
      return taken;
    },
    async webSocket() {
      upgrade?.on('close', () => gone.abort(hungUp));
      return openWebSocket(request, response, upgrade);
    },
  };
}
