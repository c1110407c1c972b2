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
 * gRPC queues up to 16 messages; with larger ones those of a slow reader grow old before they are sent: see kit/young-garbage.ts. And
 * all copies of one stay below the 128 KiB from which on malloc maps memory for each.
 */
export const blockSize = 80 * 1024;
/** Read at once where there is more: each read is a way to another thread and back. */
const readSize = 6 * blockSize;

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

  const readInto = async (file: LogFile, buffer: Buffer, held: number, at: number): Promise<number> => {
    const left = isFollowing ? Number.POSITIVE_INFINITY : Math.max(file.size - at, 0);
    return (await readAsync(file.descriptor, buffer, held, Math.min(buffer.length - held, left), at)).bytesRead;
  };

  async function* blocks(): AsyncGenerator<Block | 'waiting'> {
    let buffer: Buffer = Buffer.allocUnsafeSlow(blockSize);
    let spare: Buffer | undefined;
    let number = first.file;
    /** Where in the file the buffer's content begins, and how much there is. */
    let [offset, held] = [first.offset, 0];
    await using ahead = createAhead();
    for (;;) {
      if (signal.aborted) return;
      // Asked for before looking, so that what happens meanwhile is not missed.
      const changed = changes?.next();
      const hasEnded = changes?.hasEnded ?? true;
      const current = files[number];
      if (current !== undefined) {
        const early = ahead.take();
        const bytesRead = await (early ?? readInto(current, buffer, held, offset + held));
        if (bytesRead > 0) {
          held += bytesRead;
          const [full, filled] = [buffer, held];
          const ends = blockEnds(full, filled);
          const last = ends.at(-1) ?? 0;
          held -= last;
          if (filled === full.length) {
            buffer = spare ?? Buffer.allocUnsafeSlow(readSize);
            spare = full.length === readSize ? full : undefined;
            full.copy(buffer, 0, last, filled);
            ahead.begin(readInto(current, buffer, held, offset + filled));
          }
          let done = 0;
          for (const end of ends) {
            const bytes = full.subarray(done, end);
            // Without an end it is no record: what follows up to the next end is none either.
            if (bytes.at(-1) === newline) yield { bytes, file: number, offset: offset + done };
            done = end;
          }
          if (buffer === full) full.copyWithin(0, last, filled);
          offset += last;
          continue;
        }
        // That was before the changes now waited for.
        if (early !== undefined) continue;
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

/** What is read while what lies before it is worked on. */
interface Ahead extends AsyncDisposable {
  begin(reading: Promise<number>): void;
  take(): Promise<number> | undefined;
}

function createAhead(): Ahead {
  let begun: Promise<number> | undefined;
  return {
    begin(reading) {
      begun = reading;
      // Whoever takes it hears of its failure.
      reading.catch(() => {});
    },
    take() {
      const taken = begun;
      begun = undefined;
      return taken;
    },
    // The file must not be closed under it: its number may be another's then.
    async [Symbol.asyncDispose]() {
      await begun?.catch(() => {});
    },
  };
}

/** Where blocks end: at the last end of a record that is in reach of each, or where so much has none. What is left is not read yet. */
function blockEnds(buffer: Buffer, held: number): number[] {
  const ends: number[] = [];
  for (let from = 0; from < held; ) {
    const reach = Math.min(held, from + blockSize);
    const end = buffer.subarray(from, reach).lastIndexOf(newline) + 1;
    if (end === 0 && reach - from < blockSize) break;
    from = end > 0 ? from + end : reach;
    ends.push(from);
  }
  return ends;
}
