import type { Records } from '../../../kit/records.ts';
import type { Image } from './images.ts';

/** Who uses which image of one driver: containers, by their ids. */
export interface HolderStore {
  of(image: Image): string[];
  /** False when it held it already. */
  add(holder: string, image: Image): boolean;
  /** False when it held none of it; without an image, whatever it holds. */
  remove(holder: string, image?: Image): boolean;
  /** Makes these the only holders; gives those that are none any more. */
  replaceAll(holdings: readonly { holder: string; image: Image }[]): string[];
}

export function openHolders(records: Records, driver: string): HolderStore {
  const store: HolderStore = {
    of(image) {
      const rows = records.prepare('SELECT holder FROM holder WHERE image = ? ORDER BY holder').all(image.key);
      return rows.map((row) => String(row.holder));
    },
    add(holder, image) {
      return records.prepare('INSERT OR IGNORE INTO holder VALUES (?, ?)').run(holder, image.key).changes > 0;
    },
    remove(holder, image) {
      const removed =
        image === undefined
          ? records.prepare('DELETE FROM holder WHERE holder = ?').run(holder)
          : records.prepare('DELETE FROM holder WHERE holder = ? AND image = ?').run(holder, image.key);
      return removed.changes > 0;
    },
    replaceAll(holdings) {
      const before = records
        .prepare('SELECT DISTINCT holder FROM holder JOIN image ON key = image WHERE driver = ? ORDER BY holder')
        .all(driver);
      records.prepare('DELETE FROM holder WHERE image IN (SELECT key FROM image WHERE driver = ?)').run(driver);
      for (const { holder, image } of holdings) store.add(holder, image);
      const now = new Set(holdings.map(({ holder }) => holder));
      return before.map((row) => String(row.holder)).filter((holder) => !now.has(holder));
    },
  };
  return store;
}
