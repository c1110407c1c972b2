import type { Socket } from 'node:net';
import type { CallOptions, ClientMiddleware, ClientMiddlewareCall } from 'nice-grpc';
import { isServiceError } from '../kit/errors.ts';
import type { Logger } from '../kit/log.ts';
import { type Call, currentCall } from '../kit/rpc/call.ts';
import { Access } from '../proto/gen/longshore/contract/v1/access.ts';
import { peerOf } from './peer.ts';

/** A change that a client asked for, once it is over. */
export interface Mutation {
  /** `StartContainer` */
  verb: string;
  /** What the client named: a container, an image, a volume. Empty when it named none. */
  object: string;
  /** OK, or the code of the owner's error. */
  outcome: string;
  requestId: string;
}

/**
 * Says in one line who changed what: every method that the contracts call a write, asked for by REST or by gRPC. Written
 * when its answer is known and, in the same turn of the event loop, on its way; a stream's when it is over. To the log at info,
 * marked `audit`, without waiting for the disk.
 */
export interface Audit {
  /** A REST request begins: what it calls is its peer's doing. */
  enter(socket: Socket): void;
  /** For the calls that REST requests make. */
  readonly middleware: ClientMiddleware;
  /** A write that was passed on. */
  write(peer: Socket | undefined, mutation: Mutation): void;
}

export function createAudit(log: Logger): Audit {
  const peers = new WeakMap<Call, Socket>();
  const audit: Audit = {
    enter(socket) {
      const call = currentCall();
      if (call !== undefined) peers.set(call, socket);
    },
    async *middleware<Request, Response>(call: ClientMiddlewareCall<Request, Response>, options: CallOptions) {
      if (!isWrite(call.method.options)) return yield* call.next(call.request, options);
      // Taken now: when a stream ends, another call may be the present one, and its client's socket gone.
      const cause = currentCall();
      const peer = cause && peers.get(cause);
      if (call.requestStream && peer) peerOf(peer);
      let object = '';
      let outcome = 'CANCELLED';
      const seen = (first: unknown) => {
        object = namedIn(first) || namedIn(frameOf(first));
      };
      try {
        const response = call.requestStream
          ? yield* call.next(watched(call.request, seen), options)
          : yield* call.next(call.request, options);
        outcome = 'OK';
        return response;
      } catch (error) {
        if (isServiceError(error)) outcome = error.code;
        throw error;
      } finally {
        const verb = call.method.path.split('/').at(-1) ?? '';
        if (!call.requestStream) object = namedIn(call.request);
        audit.write(peer, { verb, object, outcome, requestId: cause?.requestId ?? '' });
      }
    },
    write(peer, { verb, object, outcome, requestId }) {
      if (!log.isLevelEnabled('info')) return;
      const by = peer === undefined ? 'unknown' : peerOf(peer);
      // Behind the answer: a line costs as much as the rest of a small request.
      setImmediate(() => log.info({ audit: true, peer: by, verb, object, outcome, request: requestId }, 'audit'));
    },
  };
  return audit;
}

/** (longshore.contract.v1.access), field 50301 of the method's options, as the generated code keeps it: tag → values. */
const accessTag = (50301 << 3) | 0;

function isWrite(options: object): boolean {
  const fields: unknown = Reflect.get(options, '_unknownFields');
  if (typeof fields !== 'object' || fields === null) return false;
  const [value]: unknown[] = Reflect.get(fields, accessTag) ?? [];
  return value instanceof Uint8Array && value[0] === Access.ACCESS_WRITE;
}

/** A client's text, shortened where it is absurd. */
const longestObject = 256;
const names = ['container', 'reference', 'name', 'id', 'containerId', 'repository', 'source', 'image'];

/** What a stream's first message opens it with, or begins with. */
function frameOf(message: unknown): unknown {
  const frame: unknown = typeof message === 'object' && message !== null ? Reflect.get(message, 'frame') : undefined;
  return typeof frame === 'object' && frame !== null ? Reflect.get(frame, 'value') : undefined;
}

/** Not a generator: one that waits for its next message cannot be ended. */
function watched<T>(messages: AsyncIterable<T>, seen: (first: T) => void): AsyncIterable<T> {
  return {
    [Symbol.asyncIterator]() {
      const inner = messages[Symbol.asyncIterator]();
      let isFirst = true;
      return {
        return: () => inner.return?.() ?? Promise.resolve({ done: true, value: undefined }),
        async next() {
          const next = await inner.next();
          if (isFirst && !next.done) seen(next.value);
          isFirst = false;
          return next;
        },
      };
    },
  };
}

/** The object of a request is its first member that names one. */
function namedIn(request: unknown): string {
  if (typeof request !== 'object' || request === null) return '';
  for (const name of names) {
    const value: unknown = Reflect.get(request, name);
    if (typeof value === 'string' && value !== '') return value.slice(0, longestObject);
  }
  return '';
}
