import type { Records } from '../../../kit/records.ts';
import { type Digest, isDigest } from '../digest.ts';
import { errors } from '../errors.ts';
import { parseName } from '../reference.ts';
import type { Image } from './images.ts';

/** Names (`repository:tag`) of the images of one driver. */
export interface TagStore {
  readonly count: number;
  /** The id of the image that has the tag. */
  find(name: string): Digest | undefined;
  of(image: Image): string[];
  /** Gives the tag to the image, taking it from the one that had it. */
  set(name: string, image: Image): void;
  remove(name: string): void;
}

/** Opens the tag store after a look at every tag: one that cannot be a tag means that the file was damaged. */
export function openTags(records: Records, driver: string): TagStore {
  check(records, driver);
  return {
    get count() {
      return Number(records.prepare('SELECT count(*) AS count FROM tag WHERE driver = ?').get(driver)?.count);
    },
    find(name) {
      const row = records
        .prepare('SELECT id FROM tag JOIN image ON image.key = tag.image WHERE tag.driver = ? AND name = ?')
        .get(driver, name);
      const id = String(row?.id);
      return isDigest(id) ? id : undefined;
    },
    of(image) {
      const rows = records.prepare('SELECT name FROM tag WHERE image = ? ORDER BY name').all(image.key);
      return rows.map((row) => String(row.name));
    },
    set(name, image) {
      records
        .prepare('INSERT INTO tag VALUES (?, ?, ?) ON CONFLICT (driver, name) DO UPDATE SET image = excluded.image')
        .run(driver, name, image.key);
    },
    remove(name) {
      records.prepare('DELETE FROM tag WHERE driver = ? AND name = ?').run(driver, name);
    },
  };
}

function check(records: Records, driver: string): void {
  const rows = records
    .prepare('SELECT name, image.key FROM tag LEFT JOIN image ON image.key = tag.image WHERE tag.driver = ?')
    .all(driver);
  for (const row of rows) {
    const name = String(row.name);
    if (row.key === null) throw errors.tagStoreBroken({ problem: `${name} is the tag of no image` });
    try {
      parseName(name);
    } catch (cause) {
      throw errors.tagStoreBroken({ problem: `${JSON.stringify(name)} is not a tag` }, { cause });
    }
  }
}
