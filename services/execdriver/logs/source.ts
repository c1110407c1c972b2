import { closeSync, existsSync, fstatSync, read, statSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { watchChanges } from './changes.ts';
import { type LogFile, logFile, openLogFiles, openNextLogFile } from './files.ts';
import { newline } from './format.ts';
import { cursorOf, fileMark, firstOf, type Starts } from './positions.ts';

/** Whole records that lie one behind the other in a file. Good until the next block is asked for. */
export interface Block {
  bytes: Buffer;
  file: number;
  /** Of the first byte in its file. */
  offset: number;
}

/** An open log: its records as they come, across rotations. */
export interface Source extends AsyncDisposable {
  /** From where on each stream is wanted: of what comes before there may be some in the blocks. */
  readonly starts: Starts;
  /** `waiting` each time that all there is has been read and more may come. */
  blocks(): AsyncGenerator<Block | 'waiting'>;
  cursor(starts: Starts): string;
}

export interface SourceQuery {
  /** Given the files there are, the oldest first. */
  startsIn(files: readonly LogFile[]): Starts | Promise<Starts>;
  /** To go on until this settles, which is when the container has ended; undefined: only what is there when it is opened. */
  until: Promise<void> | undefined;
  /** Nanoseconds since 1970; 0: no bound. */
  untilNs: bigint;
}

const readAsync = promisify(read);
/**
 * What is packed of a block is less, so that the whole message still fits the power of two that the protobuf writer takes for it.
 * gRPC queues up to 16 messages; with larger ones those of a slow reader grow old before they are sent: see kit/young-garbage.ts.
 */
const blockSize = 64 * 1024;
/** Read at once where there is more: each read is a way to another thread and back. */
const readSize = 512 * 1024;

export async function openSource(directory: string, query: SourceQuery, signal: AbortSignal): Promise<Source> {
  /** By number. Those that have been read are closed. */
  const files: LogFile[] = [];
  const add = (descriptor: number) =>
    files.push({ descriptor, mark: fileMark(descriptor), size: fstatSync(descriptor).size });
  for (const descriptor of openLogFiles(directory)) add(descriptor);
  let closed = 0;
  const close = (upTo: number) => {
    for (const { descriptor } of files.slice(closed, upTo)) closeSync(descriptor);
    closed = upTo;
  };
  let starts: Starts;
  try {
    starts = await query.startsIn(files);
  } catch (error) {
    close(files.length);
    throw error;
  }
  const first = firstOf(starts);
  close(first.file);
  const { until, untilNs } = query;
  const isFollowing = until !== undefined;
  const changes = until === undefined ? undefined : watchChanges(directory, { end: until, untilNs }, signal);

  /** Makes sure that the file after a finished one is opened, if there is one. */
  const hasNext = (number: number): boolean => {
    if (files.length > number + 1) return true;
    if (!isFollowing) return false;
    const current = files[number];
    if (current === undefined) {
      for (const descriptor of openLogFiles(directory)) add(descriptor);
      return false;
    }
    // Mostly it is still the newest.
    const newest = statSync(join(directory, logFile), { throwIfNoEntry: false });
    if (newest?.ino === fstatSync(current.descriptor).ino || !existsSync(directory)) return false;
    const next = openNextLogFile(directory, current.descriptor);
    if (next !== undefined) add(next);
    return next !== undefined;
  };

  async function* blocks(): AsyncGenerator<Block | 'waiting'> {
    let buffer = Buffer.allocUnsafeSlow(blockSize);
    let number = first.file;
    /** Where in the file the buffer's content begins, and how much there is. */
    let [offset, held] = [first.offset, 0];
    for (;;) {
      if (signal.aborted) return;
      // Asked for before looking, so that what happens meanwhile is not missed.
      const changed = changes?.next();
      const hasEnded = changes?.hasEnded ?? true;
      const current = files[number];
      if (current !== undefined) {
        const left = isFollowing ? Number.POSITIVE_INFINITY : Math.max(current.size - offset - held, 0);
        const room = Math.min(buffer.length - held, left);
        const { bytesRead } = await readAsync(current.descriptor, buffer, held, room, offset + held);
        if (bytesRead > 0) {
          held += bytesRead;
          let done = 0;
          for (let end = blockEnd(buffer, held, 0); end > 0; end = blockEnd(buffer, held, done)) {
            const bytes = buffer.subarray(done, end);
            // Without an end it is no record: what follows up to the next end is none either.
            if (bytes.at(-1) === newline) yield { bytes, file: number, offset: offset + done };
            done = end;
          }
          const whole = buffer;
          if (held === buffer.length && buffer.length < readSize) buffer = Buffer.allocUnsafeSlow(readSize);
          whole.copy(buffer, 0, done, held);
          offset += done;
          held -= done;
          continue;
        }
      }
      // A later file shows that this one is finished, and that was so before its end was seen only if it is read once more.
      if (hasNext(number)) {
        if (isFollowing && current !== undefined && offset + held < fstatSync(current.descriptor).size) continue;
        number += 1;
        close(number);
        [offset, held] = [0, 0];
        continue;
      }
      if (current === undefined && files[number] !== undefined) continue;
      if (hasEnded) return;
      yield 'waiting';
      await changed;
    }
  }

  return {
    starts,
    blocks,
    cursor: (at) => cursorOf(at, (file) => files[file]?.mark ?? ''),
    async [Symbol.asyncDispose]() {
      changes?.close();
      close(files.length);
    },
  };
}

/** Where the next block ends: at the last end of a record that is in reach, or where so much has none; 0: not read yet. */
function blockEnd(buffer: Buffer, held: number, from: number): number {
  const reach = Math.min(held, from + blockSize);
  const end = buffer.subarray(from, reach).lastIndexOf(newline) + 1;
  if (end > 0) return from + end;
  return reach - from === blockSize ? reach : 0;
}
