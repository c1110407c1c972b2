import { AsyncLocalStorage } from 'node:async_hooks';
import { createHash, randomUUID, randomUUIDv7 } from 'node:crypto';

/** The call that the present code works for. What it names is carried on to every peer that is called. */
export interface Call {
  /** The caller's name for this mutation; a repeat has the same. */
  readonly requestId: string;
  /** False: the caller sent none and this one was made here, so no repeat can come. */
  readonly requestIdGiven: boolean;
  /** W3C Trace Context, with this call's own span as the parent of what it calls. */
  readonly traceparent: string;
  /** Milliseconds since 1970; Infinity without one. */
  readonly deadline: number;
  /** The role that called, or `client`. */
  readonly caller: string;
  /** `/longshore.graphdriver.v1.LayerService/MountLayer` */
  readonly method: string;
  /** Aborted when the caller has gone. A mutation whose record is written goes on. */
  readonly signal: AbortSignal;
  /** True once it is answered: code that still runs in its name has no deadline any more. */
  ended: boolean;
}

const calls = new AsyncLocalStorage<Call | undefined>();

export function currentCall(): Call | undefined {
  return calls.getStore();
}

/** Runs `work` in the name of a call; what is left out is made new. */
export function withCall<T>(call: Partial<Call>, work: () => T): T {
  return calls.run(completed(call), work);
}

/** Runs `work` in the name of this very call, so that its end is seen by all that was started in it. */
export function withExactCall<T>(call: Call, work: () => T): T {
  return calls.run(call, work);
}

/** Runs `work`, and whatever it starts, outside any call: for what outlives the call that began it. */
export function detached<T>(work: () => T): T {
  return calls.run(undefined, work);
}

export function completed(call: Partial<Call>): Call {
  return {
    requestId: call.requestId ?? newRequestId(),
    requestIdGiven: call.requestIdGiven ?? call.requestId !== undefined,
    traceparent: call.traceparent ?? childTraceparent(undefined),
    deadline: call.deadline ?? Number.POSITIVE_INFINITY,
    caller: call.caller ?? 'client',
    method: call.method ?? '',
    signal: call.signal ?? new AbortController().signal,
    ended: call.ended ?? false,
  };
}

/** 32 hex digits, in the order of their making (RFC 9562, version 7): outcomes kept by them go where the last ones went. */
export function newRequestId(): string {
  return randomUUIDv7().replaceAll('-', '');
}

/** 32 hex digits, all but one of them random. */
export function randomHex(): string {
  return randomUUID().replaceAll('-', '');
}

/** Long enough for a few levels of sub-steps, short enough for metadata and an index. */
const longestRequestId = 160;

/** The id of a sub-step of a request: the same for every repeat of the parent, so that the step is done once too. */
export function derivedRequestId(parent: string, step: string): string {
  const id = `${parent}/${step}`;
  return id.length <= longestRequestId ? id : createHash('sha256').update(id).digest('hex');
}

const wellFormed = /^00-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-([0-9a-f]{2})$/;

/** A span of its own in the trace that `parent` names, or in a new one. */
export function childTraceparent(parent: string | undefined): string {
  const [, trace = randomHex(), flags = '01'] = wellFormed.exec(parent ?? '') ?? [];
  return `00-${trace}-${randomHex().slice(0, 16)}-${flags}`;
}
