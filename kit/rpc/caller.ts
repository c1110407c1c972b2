import { setTimeout as pause } from 'node:timers/promises';
import { type CallOptions, ClientError, type ClientMiddleware, type ClientMiddlewareCall, Metadata } from 'nice-grpc';
import type { DeadlineOptions } from 'nice-grpc-client-middleware-deadline';
import { ServiceError } from '../errors.ts';
import { worked } from '../idle.ts';
import type { Logger } from '../log.ts';
import { childTraceparent, currentCall, derivedRequestId, newRequestId, randomHex } from './call.ts';
import { codeName, decodeError, detailsKey } from './status.ts';

export interface PeerOptions {
  /** Milliseconds from now; Infinity for none. The rest of the incoming call's deadline is never exceeded. */
  deadlineMs?: number;
  /** The same for every repeat of this call; see derivedRequestId. A new one is made when left out. */
  requestId?: string;
}

export interface Peer {
  endpoint: string;
  /** Who calls. */
  role: string;
  log: Logger;
  deadlineMs: number;
  /** How long a unary call that was cut off by the peer's death is repeated, under its request id. */
  repeatMs: number;
  isConnected(): boolean;
  connected(waitMs: number): Promise<boolean>;
}

/** Between two attempts of a call that was cut off. */
const repeatPauseMs = 50;
/** A call that was not sent yet waits this long for a peer that is down. */
const waitForPeerMs = 2000;
/** setTimeout takes no more; about 24 days. */
const longestTimerMs = 2 ** 31 - 1;

/** Carries the incoming call on, waits for a peer that is down, and gives back errors as the peer threw them. */
export function peerMiddleware(peer: Peer): ClientMiddleware<PeerOptions, DeadlineOptions> {
  return async function* withPeer<Request, Response>(
    call: ClientMiddlewareCall<Request, Response, DeadlineOptions>,
    options: CallOptions & Partial<PeerOptions & DeadlineOptions>,
  ): AsyncGenerator<Response, Response | undefined, undefined> {
    const { deadlineMs, requestId, ...rest } = options;
    const isUnary = !call.method.requestStream && !call.method.responseStream;
    const deadline = deadlineOf(peer, deadlineMs, isUnary);
    const metadata = carried(peer, requestId, options.metadata);
    const service = serviceOf(call.method.path);

    async function* attempt(): AsyncGenerator<Response, Response | undefined, undefined> {
      if (!peer.isConnected()) {
        const waitMs = Math.min(waitForPeerMs, deadline - Date.now());
        if (!(await peer.connected(waitMs))) throw downError(peer, service);
      }
      const sendOptions: CallOptions & DeadlineOptions = { ...rest, metadata };
      const leftMs = deadline - Date.now();
      if (leftMs < longestTimerMs) {
        metadata.set('grpc-timeout', grpcTimeout(leftMs));
        sendOptions.deadline = leftMs;
      }
      let details: Uint8Array | undefined;
      sendOptions.onTrailer = (trailer) => {
        details = trailer.get(detailsKey);
        options.onTrailer?.(trailer);
      };
      try {
        return yield* call.next(call.request, sendOptions) as AsyncGenerator<Response, Response | undefined, undefined>;
      } catch (error) {
        throw error instanceof ClientError ? answered(peer, service, error, details) : error;
      }
    }

    worked();
    for (let cutAt: number | undefined; ; ) {
      try {
        return yield* attempt();
      } catch (error) {
        // A peer that was down from the first is told at once; one that went away may have done the work already.
        const isCutOff = error instanceof ServiceError && error.code === 'UNAVAILABLE';
        cutAt ??= isCutOff && error.cause !== undefined ? Date.now() : undefined;
        if (!isUnary || !isCutOff || cutAt === undefined) throw error;
        if (Date.now() + repeatPauseMs > Math.min(cutAt + peer.repeatMs, deadline) || rest.signal?.aborted) throw error;
        await pause(repeatPauseMs);
      }
    }
  };
}

/** Milliseconds since 1970. */
function deadlineOf(peer: Peer, given: number | undefined, isUnary: boolean): number {
  const incoming = currentCall();
  const usual = isUnary ? peer.deadlineMs : Number.POSITIVE_INFINITY;
  const own = Date.now() + (given ?? usual);
  return isUnary && incoming !== undefined && !incoming.ended ? Math.min(own, incoming.deadline) : own;
}

function carried(peer: Peer, requestId: string | undefined, given: Metadata | undefined): Metadata {
  const incoming = currentCall();
  const metadata = Metadata(given);
  metadata.set('longshore-caller', peer.role);
  if (requestId !== undefined) metadata.set('request-id', requestId);
  else if (!metadata.has('request-id')) metadata.set('request-id', freshRequestId(incoming?.requestId));
  if (!metadata.has('traceparent')) metadata.set('traceparent', incoming?.traceparent ?? childTraceparent(undefined));
  return metadata;
}

/** New, so that two steps of one request are never taken for a repeat; begins like the request, so that logs join up. */
function freshRequestId(parent: string | undefined): string {
  return parent === undefined ? newRequestId() : derivedRequestId(parent, randomHex().slice(0, 12));
}

/** At most eight digits and a unit; see gRPC over HTTP/2, Timeout. */
function grpcTimeout(leftMs: number): string {
  const ms = Math.max(1, Math.ceil(leftMs));
  return ms < 1e8 ? `${ms}m` : `${Math.ceil(ms / 1000)}S`;
}

/** `/longshore.graphdriver.v1.LayerService/MountLayer` → `graphdriver` */
function serviceOf(path: string): string {
  return /^\/longshore\.([^.]+)\./.exec(path)?.[1] ?? path.slice(1).split('/')[0] ?? path;
}

function downError({ endpoint }: Peer, service: string): ServiceError {
  return new ServiceError({
    service,
    reason: 'SERVICE_UNAVAILABLE',
    code: 'UNAVAILABLE',
    message: `${service} does not answer at ${endpoint}`,
    metadata: { endpoint },
  });
}

function answered(peer: Peer, service: string, error: ClientError, details: Uint8Array | undefined): ServiceError {
  const { endpoint } = peer;
  const code = codeName(error.code);
  if (details === undefined && code === 'UNAVAILABLE') {
    peer.log.debug({ endpoint, method: error.path, details: error.details }, 'connection lost');
    const message = `${service} at ${endpoint} went away during ${error.path.split('/').at(-1)}`;
    const parts = { service, reason: 'SERVICE_UNAVAILABLE', code, message, metadata: { endpoint } };
    return new ServiceError(parts, { cause: error });
  }
  const isLate = details === undefined && code === 'DEADLINE_EXCEEDED';
  const message = isLate
    ? `${service} at ${endpoint} did not answer ${error.path.split('/').at(-1)} in time`
    : error.details;
  return decodeError({ code: error.code, message, details, service }, error);
}
