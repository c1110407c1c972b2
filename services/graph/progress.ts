import { setTimeout as wait } from 'node:timers/promises';

/** How far something that takes time has come, in bytes; `total` 0: unknown. */
export interface Progress {
  kind: 'progress';
  /** Short, as people are shown layers. */
  layer: string;
  status: string;
  current: number;
  total: number;
}

const intervalMs = 100;

/**
 * Waits for `work` and meanwhile tells how far it is, at most ten times a second and only when it has moved.
 * Ends when the work has ended, also when the one who listens goes away: nothing is left running behind.
 */
export async function* reporting<T>(work: Promise<T>, report: () => Progress): AsyncGenerator<Progress, T> {
  const finished = new AbortController();
  const settled = work.then(
    () => finished.abort(),
    () => finished.abort(),
  );
  let shown = 0;
  try {
    while (!finished.signal.aborted) {
      await wait(intervalMs, undefined, { signal: finished.signal, ref: false }).catch(() => undefined);
      const progress = report();
      if (!finished.signal.aborted && progress.current > shown) {
        shown = progress.current;
        yield progress;
      }
    }
    return await work;
  } finally {
    await settled;
  }
}

/** Passes bytes on until the signal aborts. */
export async function* interruptible(
  source: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void> {
  for await (const chunk of source) {
    signal.throwIfAborted();
    yield chunk;
  }
}

/** Passes bytes on and counts them. */
export async function* counted(
  source: AsyncIterable<Uint8Array>,
  count: (bytes: number) => void,
): AsyncGenerator<Uint8Array, void> {
  for await (const chunk of source) {
    count(chunk.length);
    yield chunk;
  }
}
