import { statfsSync } from 'node:fs';
import { defineErrors, messageOf, type ServiceError } from './errors.ts';

const errors = defineErrors('kit', {
  noSpace: {
    code: 'RESOURCE_EXHAUSTED',
    message: (m: { path: string; problem?: string }) =>
      `no space left on the disk of ${m.path}: free some, then repeat the command` +
      (m.problem === undefined ? '' : ` (${m.problem})`),
  },
});

/** SQLite's primary result code SQLITE_FULL (sqlite.org/rescode.html). */
const sqliteFull = 13;
/** SQLITE_IOERR_SHMSIZE: the log's index, a file as well, cannot grow. */
const sqliteSharedMemory = 4874;

/** Whether something failed because the disk, or the quota, is used up. */
export function isDiskFull(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { code, errcode } = error as { code?: unknown; errcode?: unknown };
  return code === 'ENOSPC' || code === 'EDQUOT' || errcode === sqliteFull || errcode === sqliteSharedMemory;
}

/** NO_SPACE. */
export function diskFull(path: string, cause: unknown): ServiceError {
  return errors.noSpace({ path, problem: messageOf(cause) }, { cause });
}

/** What new things leave free: enough for the records of stopping and removing old ones. */
export const keptFree = 8 * 1024 * 1024;

/** To be called before something new is made. NO_SPACE when the disk of `path` is as good as full. */
export function requireSpace(path: string): void {
  if (freeBytes(path) < keptFree) throw errors.noSpace({ path });
}

/** Infinity where there is nothing yet. */
export function freeBytes(path: string): number {
  try {
    const { bfree, bsize } = statfsSync(path);
    return bfree * bsize;
  } catch {
    // Whoever writes there will say what is wrong.
    return Number.POSITIVE_INFINITY;
  }
}
