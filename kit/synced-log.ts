import { closeSync, fdatasync, openSync } from 'node:fs';
import { promisify } from 'node:util';

const dataSync = promisify(fdatasync);

/** What is written reaches the disk after this long at the latest, when nobody waits for it. */
const withinMs = 500;

/** A log file that others write to, brought to the disk off the main thread. */
export interface SyncedLog {
  /** Something was written. */
  written(): void;
  /** Resolves when all that is written by now is on the disk. */
  synced(): Promise<void>;
  close(): void;
}

/** The file must be there at the first sync, and stay the same file. */
export function openSyncedLog(path: string, toDisk: (descriptor: number) => Promise<void> = dataSync): SyncedLog {
  let descriptor: number | undefined;
  let timer: NodeJS.Timeout | undefined;
  let last: Promise<void> = Promise.resolve();
  let next: Promise<void> | undefined;
  let isClosed = false;

  async function sync(): Promise<void> {
    next = undefined;
    clearTimeout(timer);
    timer = undefined;
    if (isClosed) return;
    descriptor ??= openSync(path, 'r+');
    await toDisk(descriptor);
  }

  const log: SyncedLog = {
    written() {
      // A failure shows again to the next one who waits for it.
      timer ??= setTimeout(() => log.synced().catch(() => undefined), withinMs).unref();
    },
    synced() {
      // One at a time: who comes while it runs shares the next one, since theirs may have been written too late for it.
      if (next === undefined) {
        next = last.then(sync);
        last = next.catch(() => undefined);
      }
      return next;
    },
    close() {
      isClosed = true;
      clearTimeout(timer);
      // Not under the feet of a sync that runs.
      void last.then(() => {
        if (descriptor !== undefined) closeSync(descriptor);
        descriptor = undefined;
      });
    },
  };
  return log;
}
