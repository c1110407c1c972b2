import { setTimeout as delay } from 'node:timers/promises';
import { isServiceError } from '../../kit/errors.ts';

/** The coordinator is back within a second or two; a client is not left waiting for one that never is. */
const longestOutageMs = 60_000;
const askAgainMs = 50;

/**
 * A watch that outlasts its owner's death: when it had begun and its connection is lost, it is opened anew as soon as the
 * owner is back. `open` says where to go on from.
 */
export async function* outlasting<T>(open: () => AsyncIterable<T>, signal: AbortSignal): AsyncGenerator<T, void> {
  let hasBegun = false;
  let lostAt: number | undefined;
  for (;;) {
    try {
      for await (const each of open()) {
        hasBegun = true;
        lostAt = undefined;
        yield each;
      }
      return;
    } catch (error) {
      if (!hasBegun || !isOutage(error)) throw error;
      lostAt ??= Date.now();
      if (Date.now() - lostAt > longestOutageMs) throw error;
    }
    await delay(askAgainMs, undefined, { signal });
  }
}

/** The owner is down, or is not up again, or went away during the call. */
export function isOutage(error: unknown): boolean {
  return isServiceError(error) && error.code === 'UNAVAILABLE';
}
