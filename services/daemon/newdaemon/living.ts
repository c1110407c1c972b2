import { existsSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import type { Records } from '../../../kit/records.ts';

/**
 * The containers that go on when the engine ends: under live restore those that run, else none. Asked for whenever services
 * are drained, after a failed boot as at a shutdown; the records' step fills it in, and freezes it when they are closed.
 */
export interface Living {
  ids(): string[];
  /** From now on `source` knows. */
  set(source: () => string[]): void;
}

export function living(before: () => string[]): Living {
  let source = before;
  return {
    ids: () => source(),
    set: (next) => {
      source = next;
    },
  };
}

const running = `SELECT id FROM container WHERE status IN ('starting', 'running', 'paused', 'stopping', 'restarting')`;

export function runningIn(records: Records): string[] {
  return records
    .prepare(running)
    .all()
    .map((row) => String(row.id));
}

/** Asks the container records from outside, while nobody has them open. None yet, nothing to keep. */
export function recordedAsRunning(path: string): string[] {
  if (!existsSync(path)) return [];
  const records = new DatabaseSync(path);
  try {
    // Without it the index of the log is a file, for which a full disk may have no room.
    records.exec('PRAGMA locking_mode = EXCLUSIVE');
    return records
      .prepare(running)
      .all()
      .map((row) => String(row.id));
  } finally {
    records.close();
  }
}
