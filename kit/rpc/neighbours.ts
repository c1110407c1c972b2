import type { CallOptions, ClientMiddleware, ClientMiddlewareCall } from 'nice-grpc';
import type { LocalServer } from './local-server.ts';

/**
 * The services of one process, by their endpoints: a call from one to another has all that a call has, from the messages' bytes
 * to deadlines and cancelling, but needs no socket and no HTTP/2.
 */
export interface Neighbours {
  /** From now on calls to this endpoint go to this server, until what is returned is called. */
  offer(endpoint: string, server: LocalServer): () => void;
  has(endpoint: string): boolean;
  /** Whether it is offered within this time. */
  appears(endpoint: string, timeoutMs: number): Promise<boolean>;
  /** Innermost in a client. What is not offered goes over the wire. */
  middleware(endpoint: string): ClientMiddleware;
}

export function createNeighbours(): Neighbours {
  const servers = new Map<string, LocalServer>();
  const awaited = new Map<string, Set<() => void>>();

  return {
    offer(endpoint, server) {
      servers.set(endpoint, server);
      for (const appeared of awaited.get(endpoint) ?? []) appeared();
      return () => servers.get(endpoint) === server && servers.delete(endpoint);
    },
    has: (endpoint) => servers.has(endpoint),
    appears(endpoint, timeoutMs) {
      if (servers.has(endpoint)) return Promise.resolve(true);
      const waiting = awaited.get(endpoint) ?? new Set();
      awaited.set(endpoint, waiting);
      const { promise, resolve } = Promise.withResolvers<boolean>();
      const appeared = () => resolve(true);
      waiting.add(appeared);
      const timer = setTimeout(resolve, Math.max(0, timeoutMs), false);
      return promise.finally(() => {
        clearTimeout(timer);
        waiting.delete(appeared);
      });
    },
    middleware: (endpoint) =>
      async function* toNeighbour<Request, Response>(
        call: ClientMiddlewareCall<Request, Response>,
        options: CallOptions,
      ): AsyncGenerator<Response, Response | undefined, undefined> {
        const steps = servers.get(endpoint)?.call(call, options) ?? call.next(call.request, options);
        return yield* steps as AsyncGenerator<Response, Response | undefined, undefined>;
      },
  };
}
