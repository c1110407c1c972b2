import type { Records } from '../../../kit/records.ts';

/** How far the events of an owner have been taken over, by the owner's name. */
export interface WatchCursors {
  get(owner: string): number | undefined;
  /** In the present transaction, if there is one. */
  save(owner: string, cursor: number): void;
  forget(owner: string): void;
}

export function watchCursors(records: Records): WatchCursors {
  return {
    get(owner) {
      const row = records.prepare('SELECT cursor FROM watch WHERE owner = ?').get(owner);
      return row === undefined ? undefined : Number(row['cursor']);
    },
    save(owner, cursor) {
      records.prepare('INSERT OR REPLACE INTO watch VALUES (?, ?)').run(owner, cursor);
    },
    forget(owner) {
      records.prepare('DELETE FROM watch WHERE owner = ?').run(owner);
    },
  };
}
