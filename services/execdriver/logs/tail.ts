import { read } from 'node:fs';
import { promisify } from 'node:util';
import type { LogFile } from './files.ts';
import { isPartialAt, type LogStream, newline, streamAt, streamNames, timeAt } from './format.ts';
import type { Position, Starts } from './positions.ts';

const readAsync = promisify(read);
const blockSize = 128 * 1024;

export interface TailQuery {
  /** Lines of these streams, those that end last. */
  count: number;
  streams: ReadonlySet<LogStream>;
  /** Only lines of this time count; nanoseconds since 1970, 0: no bound. */
  sinceNs: bigint;
  untilNs: bigint;
}

/**
 * Looks back from where a log ended when it was opened for where the last lines of each stream begin. Reads no more than it
 * needs.
 */
export async function startsOfTail(files: readonly LogFile[], query: TailQuery): Promise<Starts> {
  const { count, streams, sinceNs, untilNs } = query;
  let left = count;
  let end: Position = { file: Math.max(files.length - 1, 0), offset: 0 };
  let hasEnd = false;
  /** Where the earliest line that counts begins, as far as has been read. */
  const starts = new Map<LogStream, Position>();
  /** Streams of which the line before that has been seen. */
  const done = new Set<LogStream>();

  for (const [file, opened] of [...files.entries()].reverse()) {
    for await (const { bytes, offset, records } of blocksBackwards(opened)) {
      const last = records.at(-1);
      if (!hasEnd && last !== undefined) [end, hasEnd] = [{ file, offset: offset + last.end + 1 }, true];
      for (let at = records.length - 1; at >= 0; at--) {
        if (left === 0 && [...starts.keys()].every((stream) => done.has(stream))) return filled();
        const { start, end: recordEnd } = records[at] ?? { start: 0, end: 0 };
        const number = streamAt(bytes, start, recordEnd);
        if (number === 0) continue;
        const stream = streamNames[number];
        if (!streams.has(stream) || done.has(stream)) continue;
        if (sinceNs !== 0n || untilNs !== 0n) {
          const timeNs = timeAt(bytes, start) ?? 0n;
          if (timeNs < sinceNs) return filled();
          if (untilNs !== 0n && timeNs > untilNs) continue;
        }
        const place = { file, offset: offset + start };
        // A part belongs to the line behind it; at the very end it is a line of its own.
        if (isPartialAt(bytes, start) && starts.has(stream)) {
          starts.set(stream, place);
        } else if (left > 0) {
          left -= 1;
          starts.set(stream, place);
        } else if (starts.has(stream)) {
          done.add(stream);
        }
      }
    }
  }
  return filled();

  function filled(): Starts {
    return { stdout: starts.get('stdout') ?? end, stderr: starts.get('stderr') ?? end };
  }
}

interface Records {
  bytes: Buffer;
  /** Of the first byte in the file. */
  offset: number;
  /** Without their line ends. */
  records: { start: number; end: number }[];
}

/** The whole records of a file, from the end it had on, a block at a time. */
async function* blocksBackwards(file: LogFile): AsyncGenerator<Records> {
  let position = file.size;
  /** The end of a record whose beginning is yet to be read, with its line end; before the first line end it is cut off. */
  let rest: Buffer | undefined;
  while (position > 0) {
    const size = Math.min(blockSize, position);
    position -= size;
    const block = Buffer.allocUnsafe(size);
    await readAsync(file.descriptor, block, 0, size, position);
    const bytes = rest === undefined ? block : Buffer.concat([block, rest]);
    const first = position === 0 ? 0 : bytes.indexOf(newline) + 1;
    const records: Records['records'] = [];
    for (let start = first; ; ) {
      const end = bytes.indexOf(newline, start);
      if (end < 0) break;
      records.push({ start, end });
      start = end + 1;
    }
    // A block within a record.
    if (position > 0 && first === 0) {
      rest = bytes;
      continue;
    }
    yield { bytes, offset: position, records };
    rest = bytes.subarray(0, first);
  }
}
