import { setTimeout as pause } from 'node:timers/promises';
import { isServiceError } from '../../../kit/errors.ts';
import { currentCall, newRequestId, withCall } from '../../../kit/rpc/call.ts';

/** A killed service is back within a second or two; this is long enough for a slow machine. */
const patienceMs = 10_000;
const firstPauseMs = 20;
const longestPauseMs = 300;

/**
 * Calls a service until it answers. Every attempt carries the same request id, so that one whose answer was lost is not
 * done twice. Ends with UNAVAILABLE after `forMs`, and with the incoming call's deadline.
 */
export async function insist<T>(call: (options: { requestId: string }) => Promise<T>, forMs = patienceMs): Promise<T> {
  const requestId = newRequestId();
  const end = Math.min(Date.now() + forMs, currentCall()?.deadline ?? Number.POSITIVE_INFINITY);
  for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(pauseMs * 2, longestPauseMs)) {
    try {
      return await call({ requestId });
    } catch (error) {
      if (!isUnavailable(error) || Date.now() + pauseMs >= end) throw error;
      await pause(pauseMs);
    }
  }
}

export function isUnavailable(error: unknown): boolean {
  return isServiceError(error) && error.code === 'UNAVAILABLE';
}

/** Runs what has to be finished whether or not the caller still waits: in its trace, without its deadline. */
export function unhurried<T>(work: () => T): T {
  const call = currentCall();
  return withCall(call === undefined ? {} : { traceparent: call.traceparent, caller: call.caller }, work);
}

/** Runs all at once; waits for every one of them, then throws the first failure. */
export async function together(...works: (Promise<unknown> | undefined)[]): Promise<void> {
  const results = await Promise.allSettled(works);
  const failed = results.find((result) => result.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}
