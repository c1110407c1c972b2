import type { Records } from '../../../../kit/records.ts';
import type { Health } from './health.ts';

/** Health as it was recorded last, and of which start of the container. */
export interface HealthRecord {
  id: string;
  generation: number;
  health: Health;
}

export interface HealthRecords {
  load(): HealthRecord[];
  /** In the present transaction, if there is one. */
  save(record: HealthRecord): void;
  remove(id: string): void;
}

const upsert = `INSERT INTO health VALUES (?, ?, ?)
  ON CONFLICT (id) DO UPDATE SET generation = excluded.generation, health = excluded.health`;

export function healthRecords(records: Records): HealthRecords {
  return {
    load: () =>
      records
        .prepare('SELECT id, generation, health FROM health')
        .all()
        .map((row) => ({
          id: String(row.id),
          generation: Number(row.generation),
          health: JSON.parse(String(row.health), (key, value: unknown) =>
            key.endsWith('Ns') ? BigInt(String(value)) : value,
          ) as Health,
        })),
    save({ id, generation, health }) {
      const text = JSON.stringify(health, (_, value: unknown) => (typeof value === 'bigint' ? `${value}` : value));
      records.prepare(upsert).run(id, generation, text);
    },
    remove(id) {
      records.prepare('DELETE FROM health WHERE id = ?').run(id);
    },
  };
}
