import type { Records } from '../../../kit/records.ts';
import type { ExecSpec } from '../../../proto/gen/longshore/execdriver/v1/exec.ts';
import { decode, encode, type ProcessMark } from '../containers/record.ts';

/** `starting`: it may have a process, or not. */
export type ExecState = 'created' | 'starting' | 'running' | 'exited';

export interface ExecRecord {
  id: string;
  containerId: string;
  /** Of the container: with that generation it ends. */
  generation: number;
  spec: ExecSpec;
  state: ExecState;
  bootId: string;
  process: ProcessMark | undefined;
  monitor: ProcessMark | undefined;
  exitCode: number | undefined;
  /** The name of its monitor's directory; its own id when it is left out. */
  place?: string | undefined;
  /** Milliseconds since 1970. */
  madeMs: number;
}

export interface ExecRecords {
  load(): ExecRecord[];
  save(record: ExecRecord): void;
  remove(id: string): void;
}

export function execRecords(records: Records): ExecRecords {
  return {
    load: () =>
      records
        .prepare('SELECT record FROM exec')
        .all()
        .map((row) => decode<ExecRecord>(String(row.record))),
    save(record) {
      records.prepare('INSERT OR REPLACE INTO exec (id, record) VALUES (?, ?)').run(record.id, encode(record));
    },
    remove(id) {
      records.prepare('DELETE FROM exec WHERE id = ?').run(id);
    },
  };
}
