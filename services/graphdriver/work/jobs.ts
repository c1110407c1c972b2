import type { ByteString } from '../../../kit/archive/bytes.ts';
import type { ArchiveLimits } from '../../../kit/archive/limits.ts';
import type { DifferenceSource } from '../tree/difference.ts';
import type { Unpacked, UnpackTarget } from '../unpack/unpacker.ts';

/** Work on many files, which a worker thread does so that the service goes on answering. */
export interface Jobs {
  /** Unpacks an archive and writes it to the disk. */
  unpack: { request: UnpackRequest; input: Uint8Array; output: never; result: UnpackResult };
  /** The difference as a tar archive, in frames. */
  pack: { request: { source: DifferenceSource }; input: never; output: Uint8Array; result: undefined };
  /** The differing paths, sorted by their bytes, in lists. */
  listChanges: { request: { source: DifferenceSource }; input: never; output: Change[]; result: undefined };
  /** Bytes of file content in the difference. */
  measure: { request: { source: DifferenceSource }; input: never; output: never; result: number };
  /** Copies a tree into an empty directory and writes it to the disk. */
  copy: { request: { from: ByteString; to: ByteString }; input: never; output: never; result: undefined };
  delete: { request: { path: string }; input: never; output: never; result: undefined };
}

export type JobName = keyof Jobs;

export interface UnpackRequest {
  target: UnpackTarget;
  /** A file below the data root, or the job's input. */
  archive: { dataRoot: string; path: string } | 'input';
  limits: ArchiveLimits;
}

export interface UnpackResult extends Unpacked {
  /** `sha256:<hex>` of the plain archive. */
  diffId: string;
}

export interface Change {
  /** Absolute inside the container. */
  path: string;
  kind: 'added' | 'modified' | 'deleted';
}

/** How a job's failure crosses from the worker: as plain data. */
export type Failure =
  | { kind: 'bad archive'; entry: string; problem: string }
  | { kind: 'no archive' }
  | { kind: 'cancelled' }
  | { kind: 'other'; message: string; code: string | undefined };

/** Messages to a worker. One job at a time. */
export type ToWorker =
  | { type: 'job'; name: JobName; request: unknown }
  | { type: 'input'; piece: Uint8Array }
  | { type: 'end of input' }
  | { type: 'more output' }
  | { type: 'cancel' };

export type FromWorker =
  | { type: 'more input' }
  | { type: 'output'; value: unknown }
  | { type: 'done'; result: unknown }
  | { type: 'failed'; failure: Failure };
