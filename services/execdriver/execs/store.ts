import { nowNs } from '../../../kit/clock.ts';
import type { Records } from '../../../kit/records.ts';
import type { Sequence } from '../../../kit/watch.ts';
import type { ExecEvent } from './events.ts';
import type { Exec } from './exec.ts';
import type { ExecRecord, ExecRecords } from './record.ts';

/** All execs: in memory, and on disk in one transaction with what is told of them. */
export interface ExecStore {
  records: Records;
  execs: Map<string, Exec>;
  execRecords: ExecRecords;
  execEvents: Sequence<ExecEvent>;
}

/** Records a change, and tells what it means. In memory it is so once it is on disk. */
export function saveExec(store: ExecStore, exec: Exec, change: Partial<ExecRecord>, kind?: ExecEvent['kind']): void {
  const { records, execRecords, execEvents } = store;
  const record = { ...exec.record, ...change };
  records.transaction(() => {
    execRecords.save(record);
    if (kind !== undefined) execEvents.append({ kind, record, timeNs: nowNs() });
  });
  exec.record = record;
}

/** Forgets an exec. One that was started and has no known end gets one: it ended with its container. */
export function forgetExec(store: ExecStore, exec: Exec, exitCode: number): void {
  const { records, execs, execRecords, execEvents } = store;
  const { id, state } = exec.record;
  const record = { ...exec.record, state: 'exited' as const, process: undefined, monitor: undefined, exitCode };
  records.transaction(() => {
    execRecords.remove(id);
    if (state === 'starting' || state === 'running') execEvents.append({ kind: 'exited', record, timeNs: nowNs() });
  });
  execs.delete(id);
  exec.end(exitCode);
}
