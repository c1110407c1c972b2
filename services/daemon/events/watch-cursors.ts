import type { Records } from '../../../kit/records.ts';

/** How far the events of an owner have been taken over, by the owner's name. */
export interface WatchCursors {
  get(owner: string): number | undefined;
  /** In the present transaction, if there is one. */
  save(owner: string, cursor: number): void;
  forget(owner: string): void;
}

/** A replaced row would be a new one for the index by owner, too: one page more of each commit. */
const upsert = 'INSERT INTO watch VALUES (?, ?) ON CONFLICT (owner) DO UPDATE SET cursor = excluded.cursor';

export function watchCursors(records: Records): WatchCursors {
  return {
    get(owner) {
      const row = records.prepare('SELECT cursor FROM watch WHERE owner = ?').get(owner);
      return row === undefined ? undefined : Number(row['cursor']);
    },
    save(owner, cursor) {
      records.prepare(upsert).run(owner, cursor);
    },
    forget(owner) {
      records.prepare('DELETE FROM watch WHERE owner = ?').run(owner);
    },
  };
}
