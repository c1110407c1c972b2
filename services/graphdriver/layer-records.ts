import type { SQLOutputValue } from 'node:sqlite';
import type { Records } from '../../kit/records.ts';
import type { DriverName, LayerId, LayerOptions } from './driver.ts';
import { errors } from './errors.ts';

export const migrations = [
  `CREATE TABLE layer (
     driver TEXT NOT NULL, id TEXT NOT NULL,
     parent TEXT,                      -- NULL: none
     is_writable INTEGER NOT NULL,
     diff_id TEXT NOT NULL,            -- '' for writable layers
     size INTEGER NOT NULL,
     is_root_opaque INTEGER NOT NULL,  -- nothing of the layers below shows
     labels TEXT NOT NULL,             -- a JSON object
     options TEXT NOT NULL,            -- a JSON object
     created_at_ns INTEGER NOT NULL,
     PRIMARY KEY (driver, id)
   ) STRICT, WITHOUT ROWID;
   CREATE INDEX layer_parent ON layer (driver, parent);
   CREATE TABLE holder (
     driver TEXT NOT NULL, layer TEXT NOT NULL, holder TEXT NOT NULL,
     path TEXT NOT NULL,               -- of the view
     boot_id TEXT NOT NULL,            -- after another boot there is no view
     PRIMARY KEY (driver, layer, holder)
   ) STRICT, WITHOUT ROWID`,
];

export interface LayerRecord {
  id: LayerId;
  parent: LayerId | undefined;
  isWritable: boolean;
  /** `sha256:<hex>`; empty for a writable layer. */
  diffId: string;
  /** Bytes of file content. */
  size: number;
  isRootOpaque: boolean;
  labels: Readonly<Record<string, string>>;
  options: LayerOptions;
  createdAtNs: bigint;
}

export interface HolderRecord {
  layer: LayerId;
  holder: string;
  path: string;
  bootId: string;
}

/** One driver's layers and their holders. */
export interface LayerRecords {
  find(layer: LayerId): LayerRecord | undefined;
  list(): LayerRecord[];
  insert(record: LayerRecord): void;
  /** With its holders. */
  remove(layer: LayerId): void;
  setSize(layer: LayerId, size: number): void;
  /** The layer and its ancestors as far as they show, nearest first. Throws LAYER_DAMAGED when one has no record. */
  chain(layer: LayerId): LayerId[];
  /** One layer that has this one for its parent. */
  childOf(layer: LayerId): LayerId | undefined;
  /** By holder's name. */
  holders(layer: LayerId): HolderRecord[];
  allHolders(): HolderRecord[];
  addHolder(record: HolderRecord): void;
  removeHolder(layer: LayerId, holder: string): void;
}

type Row = Record<string, SQLOutputValue>;

const layerColumns =
  'id, parent, is_writable, diff_id, size, is_root_opaque, labels, options, CAST(created_at_ns AS TEXT) AS created_at_ns';
const holderColumns = 'layer, holder, path, boot_id';

export function openLayerRecords(records: Records, driver: DriverName): LayerRecords {
  const sql = (text: string) => records.prepare(text);
  return {
    find(layer) {
      const row = sql(`SELECT ${layerColumns} FROM layer WHERE driver = ? AND id = ?`).get(driver, layer);
      return row === undefined ? undefined : layerOf(row);
    },
    list: () => sql(`SELECT ${layerColumns} FROM layer WHERE driver = ?`).all(driver).map(layerOf),
    insert(record) {
      sql('INSERT INTO layer VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)').run(
        driver,
        record.id,
        record.parent ?? null,
        Number(record.isWritable),
        record.diffId,
        record.size,
        Number(record.isRootOpaque),
        JSON.stringify(record.labels),
        JSON.stringify(record.options),
        record.createdAtNs,
      );
    },
    remove(layer) {
      sql('DELETE FROM holder WHERE driver = ? AND layer = ?').run(driver, layer);
      sql('DELETE FROM layer WHERE driver = ? AND id = ?').run(driver, layer);
    },
    setSize(layer, size) {
      sql('UPDATE layer SET size = ? WHERE driver = ? AND id = ?').run(size, driver, layer);
    },
    chain(layer) {
      const rows = sql(
        `WITH RECURSIVE chain (id, parent, is_root_opaque, depth) AS (
           SELECT id, parent, is_root_opaque, 0 FROM layer WHERE driver = ?1 AND id = ?2
           UNION ALL
           SELECT below.id, below.parent, below.is_root_opaque, depth + 1
             FROM chain JOIN layer AS below ON below.driver = ?1 AND below.id = chain.parent
             WHERE chain.is_root_opaque = 0
         ) SELECT id, parent, is_root_opaque FROM chain ORDER BY depth`,
      ).all(driver, layer);
      const last = rows.at(-1);
      if (last === undefined) throw errors.layerNotFound({ layer });
      if (last.parent !== null && last.is_root_opaque === 0) {
        const problem = `${last.parent}, which is below it, is missing: pull or load the image again`;
        throw errors.layerDamaged({ layer, problem });
      }
      return rows.map((row) => String(row.id));
    },
    childOf(layer) {
      const row = sql('SELECT id FROM layer WHERE driver = ? AND parent = ? LIMIT 1').get(driver, layer);
      return row === undefined ? undefined : String(row.id);
    },
    holders: (layer) =>
      sql(`SELECT ${holderColumns} FROM holder WHERE driver = ? AND layer = ?`).all(driver, layer).map(holderOf),
    allHolders: () => sql(`SELECT ${holderColumns} FROM holder WHERE driver = ?`).all(driver).map(holderOf),
    addHolder({ layer, holder, path, bootId }) {
      sql('INSERT INTO holder VALUES (?, ?, ?, ?, ?)').run(driver, layer, holder, path, bootId);
    },
    removeHolder(layer, holder) {
      sql('DELETE FROM holder WHERE driver = ? AND layer = ? AND holder = ?').run(driver, layer, holder);
    },
  };
}

function layerOf(row: Row): LayerRecord {
  return {
    id: String(row.id),
    parent: row.parent === null ? undefined : String(row.parent),
    isWritable: row.is_writable === 1,
    diffId: String(row.diff_id),
    size: Number(row.size),
    isRootOpaque: row.is_root_opaque === 1,
    labels: textsOf(row.labels),
    options: textsOf(row.options),
    createdAtNs: BigInt(String(row.created_at_ns)),
  };
}

function holderOf(row: Row): HolderRecord {
  return {
    layer: String(row.layer),
    holder: String(row.holder),
    path: String(row.path),
    bootId: String(row.boot_id),
  };
}

function textsOf(json: SQLOutputValue | undefined): Record<string, string> {
  const value: unknown = JSON.parse(String(json));
  const entries = typeof value === 'object' && value !== null ? Object.entries(value) : [];
  return Object.fromEntries(entries.map(([key, text]) => [key, String(text)]));
}
