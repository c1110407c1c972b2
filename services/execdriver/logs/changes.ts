import { existsSync, watch } from 'node:fs';

/** Beside the log: how far it has been sent on. */
export const cursorFile = 'sent';

/** Tells that a log may have grown. Nothing is polled. */
export interface Changes {
  /** Settles when something has changed after the call. */
  next(): Promise<void>;
  /** What is there now is all that there will be. */
  readonly hasEnded: boolean;
  close(): void;
}

/** Until `end` settles, or it is `untilNs` (0: never). */
export function watchChanges(
  directory: string,
  { end, untilNs }: { end: Promise<void>; untilNs: bigint },
  signal: AbortSignal,
): Changes {
  let changed = Promise.withResolvers<void>();
  let hasEnded = false;
  const wake = () => {
    const waiting = changed;
    changed = Promise.withResolvers();
    waiting.resolve();
  };
  const finish = () => {
    hasEnded = true;
    wake();
  };
  const watcher = existsSync(directory)
    ? watch(directory, (_, name) => name?.startsWith(cursorFile) || wake())
    : undefined;
  watcher?.on('error', finish);
  void end.then(finish, finish);
  const untilMs = Number(untilNs / 1_000_000n) - Date.now();
  const timer = untilNs === 0n ? undefined : setTimeout(finish, Math.min(Math.max(untilMs, 0), 2 ** 31 - 1));
  timer?.unref();
  signal.addEventListener('abort', finish, { once: true });
  return {
    next: () => changed.promise,
    get hasEnded() {
      return hasEnded;
    },
    close() {
      watcher?.close();
      clearTimeout(timer);
      signal.removeEventListener('abort', finish);
    },
  };
}
