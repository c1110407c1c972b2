import type { OciProcess } from '../spec/oci.ts';
import type { ExecRecord } from './record.ts';

/** A further process in a container: its record, and what is held of it in memory. */
export class Exec {
  record: ExecRecord;
  /** The terminal's size that was asked for last. */
  size: { rows: number; columns: number } | undefined;
  /** What it will run, where that is known already. */
  process: OciProcess | undefined;
  /** Settles with its exit code. */
  readonly ended: Promise<number>;
  readonly #end: (code: number) => void;

  constructor(record: ExecRecord) {
    this.record = record;
    const { promise, resolve } = Promise.withResolvers<number>();
    this.ended = promise;
    this.#end = resolve;
    if (record.exitCode !== undefined) resolve(record.exitCode);
  }

  /** The name of its directory. */
  get place(): string {
    return this.record.place ?? this.record.id;
  }

  end(code: number): void {
    this.#end(code);
  }
}
