import { fstatSync, readSync } from 'node:fs';
import { type LogStream, parseEntry } from './format.ts';

/** Where to begin: a file (index into those given) and a byte in it. */
export interface Place {
  file: number;
  offset: number;
}

const blockSize = 64 * 1024;

/**
 * Looks back from the end for a place from which the last `count` lines of the streams can be read whole. Some more lines may
 * come after it: one of each stream that was needed to be sure where the next one begins.
 */
export function placeOfTail(descriptors: readonly number[], count: number, streams: ReadonlySet<LogStream>): Place {
  let lines = 0;
  const open = new Set<LogStream>();
  for (const [file, descriptor] of [...descriptors.entries()].reverse()) {
    for (const { offset, record } of recordsBackwards(descriptor)) {
      const entry = parseEntry(record);
      if (entry === undefined || !streams.has(entry.stream)) continue;
      if (lines < count) {
        // A partial record at the very end is a line of its own; before a whole one of its stream it belongs to that.
        if (!entry.partial || !open.has(entry.stream)) lines += 1;
        open.add(entry.stream);
      } else if (!entry.partial) {
        // The line before: what is wanted of this stream begins behind it.
        open.delete(entry.stream);
        if (open.size === 0) return { file, offset };
      }
    }
  }
  return { file: 0, offset: 0 };
}

/** The whole records of a file, the last one first, without their line ends. Synchronous: it ends after a few blocks. */
function* recordsBackwards(descriptor: number): Generator<{ offset: number; record: Buffer }> {
  let position = fstatSync(descriptor).size;
  let rest = Buffer.alloc(0);
  while (position > 0) {
    const size = Math.min(blockSize, position);
    position -= size;
    const block = Buffer.alloc(size);
    readSync(descriptor, block, 0, size, position);
    const bytes = Buffer.concat([block, rest]);
    let end = bytes.length;
    let start = bytes.lastIndexOf(0x0a, end - 1);
    while (start >= 0) {
      if (start + 1 < end)
        yield { offset: position + start + 1, record: withoutLineEnd(bytes.subarray(start + 1, end)) };
      end = start + 1;
      start = end >= 2 ? bytes.lastIndexOf(0x0a, end - 2) : -1;
    }
    rest = bytes.subarray(0, end);
  }
  if (rest.length > 0) yield { offset: 0, record: withoutLineEnd(rest) };
}

function withoutLineEnd(bytes: Buffer): Buffer {
  return bytes.at(-1) === 0x0a ? bytes.subarray(0, -1) : bytes;
}
