/** Where a line came from. */
export type LogStream = 'stdout' | 'stderr';

/**
 * One record of the monitor's log: `2026-11-24T10:23:45.123456789+00:00 stdout F text\n`. A line that was not written at
 * once is in several: all but the last are partial (P), and have no line end of their own.
 */
export interface LogEntry {
  timeNs: bigint;
  stream: LogStream;
  partial: boolean;
  /** Without the line end. A view into the parsed bytes. */
  text: Buffer;
}

const newline = 0x0a;
const space = 0x20;

/** The whole records in `bytes`, and how many bytes they took: the rest is the beginning of one that is not finished. */
export function parseEntries(bytes: Buffer): { entries: LogEntry[]; length: number } {
  const entries: LogEntry[] = [];
  let start = 0;
  for (;;) {
    const end = bytes.indexOf(newline, start);
    if (end < 0) return { entries, length: start };
    const entry = parseEntry(bytes.subarray(start, end));
    if (entry !== undefined) entries.push(entry);
    start = end + 1;
  }
}

/** A record without its line end; undefined when it is none, which a power cut can leave behind. */
export function parseEntry(record: Buffer): LogEntry | undefined {
  const afterTime = record.indexOf(space);
  if (afterTime < 20 || afterTime > 40) return undefined;
  // `stdout F ` or `stderr P `: nine bytes.
  const stream = record.toString('latin1', afterTime + 1, afterTime + 7);
  if (stream !== 'stdout' && stream !== 'stderr') return undefined;
  const tag = record.toString('latin1', afterTime + 8, afterTime + 9);
  if (tag !== 'F' && tag !== 'P') return undefined;
  const timeNs = parseTime(record.toString('latin1', 0, afterTime));
  if (timeNs === undefined) return undefined;
  return { timeNs, stream, partial: tag === 'P', text: record.subarray(afterTime + 10) };
}

/** The second before: neighbours in a log mostly share it. */
let known = { text: '', offset: '', ns: 0n };

/** RFC 3339 with nine digits of fraction. */
function parseTime(text: string): bigint | undefined {
  const second = text.slice(0, 19);
  const fraction = text.slice(20, 29);
  const offset = text.slice(29);
  if (known.text !== second || known.offset !== offset) {
    const ms = Date.parse(`${second}${offset}`);
    if (Number.isNaN(ms)) return undefined;
    known = { text: second, offset, ns: BigInt(ms) * 1_000_000n };
  }
  const ns = Number(fraction);
  return Number.isInteger(ns) ? known.ns + BigInt(ns) : undefined;
}
