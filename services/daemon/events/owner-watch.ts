import { setTimeout as pause } from 'node:timers/promises';
import { isServiceError, messageOf } from '../../../kit/errors.ts';
import type { Logger } from '../../../kit/log.ts';

/** What a message of an owner's watch says of its place in the owner's sequence. */
export interface Placed {
  /** 0 on the first message, which says only that the watch stands. */
  cursor: number;
  /** The newest there is. */
  latest: number;
}

export interface OwnerWatch<M extends Placed> {
  owner: string;
  /** Opens the stream after a cursor; 0: from now on. */
  open(after: number, signal: AbortSignal): AsyncIterable<M>;
  /** The cursor to begin after; undefined: from now on. */
  from: number | undefined;
  /** The watch stands: nothing that happens from here on is missed. */
  standing?(latest: number): void | Promise<void>;
  happened(message: M): void | Promise<void>;
  /** What was missed cannot be told any more. */
  gap?(): void | Promise<void>;
}

const firstPauseMs = 20;
const longestPauseMs = 500;

/** Follows an owner for as long as the engine runs, through its crashes and restarts. */
export async function follow<M extends Placed>(watch: OwnerWatch<M>, log: Logger, signal: AbortSignal): Promise<void> {
  let after = watch.from ?? 0;
  let pauseMs = firstPauseMs;
  while (!signal.aborted) {
    try {
      for await (const message of watch.open(after, signal)) {
        if (message.cursor > 0) {
          await watch.happened(message);
          after = message.cursor;
        } else {
          // Without a place of our own yet, the present end of the sequence is it.
          if (after === 0) after = message.latest;
          await watch.standing?.(message.latest);
        }
        pauseMs = firstPauseMs;
      }
    } catch (error) {
      if (signal.aborted) return;
      if (isServiceError(error, 'CURSOR_GONE')) {
        log.warn({ owner: watch.owner, after }, 'events were missed: the owner keeps them no longer');
        after = 0;
        await watch.gap?.();
      } else {
        log.debug({ owner: watch.owner, problem: messageOf(error) }, 'the watch ended; it is opened again');
      }
    }
    await pause(pauseMs, undefined, { signal }).catch(() => undefined);
    pauseMs = Math.min(pauseMs * 2, longestPauseMs);
  }
}
