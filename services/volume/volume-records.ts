import type { Records } from '../../kit/records.ts';

export interface VolumeRecord {
  name: string;
  /** making: not answered yet; removing: some of it may be gone. Both end at the next start. */
  state: 'making' | 'ready' | 'removing';
  driver: string;
  options: Record<string, string>;
  labels: Record<string, string>;
  anonymous: boolean;
  createdAtNs: bigint;
}

/** A container that has a volume among its mounts. */
export interface Holding {
  volume: string;
  holder: string;
  /** It runs with it. */
  isMounted: boolean;
  /** The image's files have been offered once. */
  isFilled: boolean;
}

export interface VolumeRecords {
  find(name: string): VolumeRecord | undefined;
  /** By name. */
  all(): VolumeRecord[];
  insert(volume: VolumeRecord): void;
  setState(name: string, state: VolumeRecord['state']): void;
  /** With its holdings. */
  delete(name: string): void;
  holdings(volume: string): Holding[];
  holdingsOf(holder: string): Holding[];
  allHoldings(): Holding[];
  /** Makes or replaces. */
  hold(holding: Holding): void;
  release(volume: string, holder: string): void;
  /** In another boot than before, nobody runs with anything. */
  enterBoot(bootId: string): void;
}

export function createVolumeRecords(records: Records): VolumeRecords {
  const volumeOf = (row: Record<string, unknown>): VolumeRecord => ({
    name: String(row.name),
    state: row.state as VolumeRecord['state'],
    driver: String(row.driver),
    options: JSON.parse(String(row.options)) as Record<string, string>,
    labels: JSON.parse(String(row.labels)) as Record<string, string>,
    anonymous: row.anonymous === 1,
    createdAtNs: BigInt(String(row.created_at_ns)),
  });
  const holdingOf = (row: Record<string, unknown>): Holding => ({
    volume: String(row.volume),
    holder: String(row.holder),
    isMounted: row.is_mounted === 1,
    isFilled: row.is_filled === 1,
  });
  return {
    find(name) {
      const row = records.prepare('SELECT * FROM volume WHERE name = ?').get(name);
      return row && volumeOf(row);
    },
    all: () => records.prepare('SELECT * FROM volume ORDER BY name').all().map(volumeOf),
    insert({ name, state, driver, options, labels, anonymous, createdAtNs }) {
      records
        .prepare('INSERT INTO volume VALUES (?, ?, ?, ?, ?, ?, ?)')
        .run(name, state, driver, JSON.stringify(options), JSON.stringify(labels), anonymous ? 1 : 0, `${createdAtNs}`);
    },
    setState(name, state) {
      records.prepare('UPDATE volume SET state = ? WHERE name = ?').run(state, name);
    },
    delete(name) {
      records.prepare('DELETE FROM volume WHERE name = ?').run(name);
    },
    holdings: (volume) =>
      records.prepare('SELECT * FROM holding WHERE volume = ? ORDER BY holder').all(volume).map(holdingOf),
    holdingsOf: (holder) =>
      records.prepare('SELECT * FROM holding WHERE holder = ? ORDER BY volume').all(holder).map(holdingOf),
    allHoldings: () => records.prepare('SELECT * FROM holding ORDER BY volume, holder').all().map(holdingOf),
    hold({ volume, holder, isMounted, isFilled }) {
      records
        .prepare('INSERT OR REPLACE INTO holding VALUES (?, ?, ?, ?)')
        .run(volume, holder, isMounted ? 1 : 0, isFilled ? 1 : 0);
    },
    release(volume, holder) {
      records.prepare('DELETE FROM holding WHERE volume = ? AND holder = ?').run(volume, holder);
    },
    enterBoot(bootId) {
      records.transaction(() => {
        if (records.prepare('SELECT boot_id FROM boot').get()?.boot_id === bootId) return;
        records.prepare('UPDATE holding SET is_mounted = 0').run();
        records.prepare('INSERT OR REPLACE INTO boot VALUES (1, ?)').run(bootId);
      });
    },
  };
}
