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
  /** Of its first byte among those parsed. */
  offset: number;
}

/** As Docker numbers them. */
export const streamNumbers: Readonly<Record<LogStream, 1 | 2>> = { stdout: 1, stderr: 2 };
export const streamNames = { 1: 'stdout', 2: 'stderr' } as const;

export const newline = 0x0a;
const space = 0x20;
const [plus, colon, zero, dot, letterT] = [0x2b, 0x3a, 0x30, 0x2e, 0x54];
const [letterO, letterE, letterS, letterF, letterP] = [0x6f, 0x65, 0x73, 0x46, 0x50];

/** conmon's times have nine digits of fraction and an offset in digits, always: so a record's head has one length. */
const timeLength = 35;
const wordAt = timeLength + 1; // `stdout` or `stderr`
const tagAt = wordAt + 7;
export const headLength = tagAt + 2;

/** What record lies from `start` up to `end`, its line end left out: the number of its stream; 0 when it is none, which a power cut can leave. */
export function streamAt(bytes: Buffer, start: number, end: number): 0 | 1 | 2 {
  if (end - start < headLength || bytes[start + 10] !== letterT || bytes[start + 19] !== dot) return 0;
  if (bytes[start + timeLength] !== space || bytes[start + tagAt - 1] !== space || bytes[start + tagAt + 1] !== space) {
    return 0;
  }
  const tag = bytes[start + tagAt];
  if ((tag !== letterF && tag !== letterP) || bytes[start + wordAt] !== letterS) return 0;
  const third = bytes[start + wordAt + 3];
  return third === letterO ? 1 : third === letterE ? 2 : 0;
}

/** Of a record that is one. */
export function isPartialAt(bytes: Buffer, start: number): boolean {
  return bytes[start + tagAt] === letterP;
}

/** The whole records in `bytes`. */
export function parseEntries(bytes: Buffer): LogEntry[] {
  const entries: LogEntry[] = [];
  for (let start = 0, end = bytes.indexOf(newline); end >= 0; start = end + 1, end = bytes.indexOf(newline, start)) {
    const number = streamAt(bytes, start, end);
    const timeNs = number === 0 ? undefined : timeAt(bytes, start);
    if (number === 0 || timeNs === undefined) continue;
    const text = bytes.subarray(start + headLength, end);
    entries.push({ timeNs, stream: streamNames[number], partial: isPartialAt(bytes, start), text, offset: start });
  }
  return entries;
}

/** Whether a record's time is told without an offset from UTC, which can be handed on as it is. */
export function isUtcAt(bytes: Buffer, start: number): boolean {
  const at = start + utcLength;
  const zeros = bytes[at + 1] === zero && bytes[at + 2] === zero && bytes[at + 4] === zero && bytes[at + 5] === zero;
  return zeros && bytes[at] === plus && bytes[at + 3] === colon;
}

/** Of a time without its offset. */
export const utcLength = 29;

/** The second before: neighbours in a log mostly share it. */
let known = { text: '', offset: '', ns: 0n };

/** A record's time in nanoseconds since 1970; undefined when it is none. */
export function timeAt(bytes: Buffer, start: number): bigint | undefined {
  const second = bytes.toString('latin1', start, start + 19);
  const fraction = bytes.toString('latin1', start + 20, start + utcLength);
  const offset = bytes.toString('latin1', start + utcLength, start + timeLength);
  if (known.text !== second || known.offset !== offset) {
    const ms = Date.parse(`${second}${offset}`);
    if (Number.isNaN(ms)) return undefined;
    known = { text: second, offset, ns: BigInt(ms) * 1_000_000n };
  }
  const ns = Number(fraction);
  return Number.isInteger(ns) ? known.ns + BigInt(ns) : undefined;
}

/** As a record has it, in UTC and without the offset: nanoseconds since 1970 to `2006-01-02T15:04:05.000000000`. */
export function utcText(timeNs: bigint): string {
  const second = new Date(Number(timeNs / 1_000_000_000n) * 1000).toISOString().slice(0, 19);
  return `${second}.${String(timeNs % 1_000_000_000n).padStart(9, '0')}`;
}
