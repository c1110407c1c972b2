import type { Bound } from './bounds.ts';
import {
  isPartialAt,
  isUtcAt,
  type LogStream,
  newline,
  headLength as recordHeadLength,
  streamAt,
  streamNames,
  timeAt,
  utcLength,
  utcText,
} from './format.ts';
import type { Position, Starts } from './positions.ts';
import type { Block } from './source.ts';

/** What stands in front of lines: a head for each; one for neighbours of a stream; nothing. */
export type Packing = 'lines' | 'runs' | 'bare';

export interface PackOptions {
  packing: Packing;
  streams: ReadonlySet<LogStream>;
  timestamps: boolean;
  prefix: Uint8Array;
  since: Bound | undefined;
  until: Bound | undefined;
  /** Parts of lines are packed as they are, at once, as if each were a line. */
  inParts: boolean;
}

/** Lines longer than this are handed on in pieces. */
const longestLine = 1024 * 1024;

/** {stream, 0, 0, 0, length big-endian} */
export const headLength = 8;
/** A reader of heads need not have room for more. */
const longestRun = 32 * 1024;
export const stampLength = utcLength + 2;
const [letterZ, space] = [0x5a, 0x20];

/** A line of which the end is yet to come. */
interface Begun {
  parts: Buffer[];
  length: number;
  stamp: Buffer | undefined;
  at: Position;
  /** It is older than what is wanted. */
  isLeftOut: boolean;
}

/** Makes packed pieces of records: one copy of each byte, no object a line, no times parsed that nobody asked for. */
export class Packer {
  /** A record later than wanted has been seen: nothing more comes. */
  isPastUntil = false;
  readonly #options: PackOptions;
  readonly #starts: Starts;
  readonly #begun: [undefined, Begun | undefined, Begun | undefined] = [undefined, undefined, undefined];
  /** Where the next block begins: up to here all is packed. */
  #at: Position;
  #out = Buffer.alloc(0);
  #length = 0;
  /** The run that is being written: its stream, and where its head is. */
  #run: 0 | 1 | 2 = 0;
  #runAt = 0;

  constructor(options: PackOptions, starts: Starts, at: Position) {
    this.#options = options;
    this.#starts = starts;
    this.#at = at;
  }

  /** From where each stream is to be read to go on behind all that has been taken. */
  get starts(): Starts {
    const startOf = (number: 1 | 2): Position => {
      const { [streamNames[number]]: wanted } = this.#starts;
      const at = this.#begun[number]?.at ?? this.#at;
      // What is behind us may still be before what is wanted.
      return wanted.file > at.file || (wanted.file === at.file && wanted.offset > at.offset) ? wanted : at;
    };
    return { stdout: startOf(1), stderr: startOf(2) };
  }

  add({ bytes, file, offset }: Block): void {
    const { streams, since, until, timestamps, prefix, inParts } = this.#options;
    const needsTime = timestamps || since !== undefined || until !== undefined;
    const outFrom = streams.has('stdout') ? this.#wantedFrom('stdout', file, offset) : Number.POSITIVE_INFINITY;
    const errFrom = streams.has('stderr') ? this.#wantedFrom('stderr', file, offset) : Number.POSITIVE_INFINITY;
    this.#reserve(bytes.length);
    for (let start = 0, end = bytes.indexOf(newline); end >= 0; start = end + 1, end = bytes.indexOf(newline, start)) {
      const stream = streamAt(bytes, start, end);
      if (stream === 0 || start < (stream === 1 ? outFrom : errFrom)) continue;
      const isUtc = needsTime && isUtcAt(bytes, start);
      if (until?.isAfter(bytes, start, isUtc)) {
        this.isPastUntil = true;
        return;
      }
      const begun = this.#begun[stream];
      const isPartial = isPartialAt(bytes, start);
      if (isPartial && !inParts) {
        this.#begin(stream, bytes, start, end, { file, offset: offset + start }, isUtc);
      } else if (begun !== undefined) {
        this.#begun[stream] = undefined;
        if (!begun.isLeftOut) this.#writeBegun(stream, begun, bytes.subarray(start + recordHeadLength, end + 1));
      } else if (!since?.isBefore(bytes, start, isUtc)) {
        const from = start + recordHeadLength;
        const length = (isPartial ? end : end + 1) - from;
        const head = this.#open(stream, length);
        if (timestamps) this.#stamp(bytes, start, isUtc);
        this.#append(prefix);
        bytes.copy(this.#out, this.#length, from, from + length);
        this.#length += length;
        this.#close(head);
      }
    }
    this.#at = { file, offset: offset + bytes.length };
  }

  /** Lines whose end will never come. */
  addRest(): void {
    const rest = ([1, 2] as const).flatMap((stream) => {
      const begun = this.#begun[stream];
      this.#begun[stream] = undefined;
      return begun === undefined || begun.isLeftOut ? [] : [{ stream, begun }];
    });
    const isEarlier = (one: Position, other: Position) => one.file - other.file || one.offset - other.offset;
    rest.sort((one, other) => isEarlier(one.begun.at, other.begun.at));
    for (const { stream, begun } of rest) this.#writeBegun(stream, begun, Buffer.alloc(0));
  }

  /** What has been packed; empty when there is nothing. It is the caller's. */
  take(): Buffer {
    const taken = this.#out.subarray(0, this.#length);
    this.#closeRun();
    this.#out = Buffer.alloc(0);
    this.#length = 0;
    return taken;
  }

  #wantedFrom(stream: LogStream, file: number, offset: number): number {
    const { [stream]: start } = this.#starts;
    if (start.file > file) return Number.POSITIVE_INFINITY;
    return start.file < file ? 0 : start.offset - offset;
  }

  #begin(stream: 1 | 2, bytes: Buffer, start: number, end: number, at: Position, isUtc: boolean): void {
    const { since, timestamps } = this.#options;
    const begun = this.#begun[stream] ?? {
      parts: [],
      length: 0,
      stamp: timestamps ? stampOf(bytes, start, isUtc) : undefined,
      at,
      isLeftOut: since?.isBefore(bytes, start, isUtc) ?? false,
    };
    // The block's bytes are overwritten by the next.
    if (!begun.isLeftOut) begun.parts.push(Buffer.from(bytes.subarray(start + recordHeadLength, end)));
    begun.length += end - start - recordHeadLength;
    if (begun.length < longestLine) {
      this.#begun[stream] = begun;
      return;
    }
    // A container must not fill our memory by not ending a line.
    this.#begun[stream] = undefined;
    if (!begun.isLeftOut) this.#writeBegun(stream, begun, Buffer.alloc(0));
  }

  #writeBegun(stream: 1 | 2, { parts, length, stamp }: Begun, last: Buffer): void {
    const head = this.#open(stream, length + last.length);
    if (stamp !== undefined) this.#append(stamp);
    this.#append(this.#options.prefix);
    for (const part of parts) this.#append(part);
    this.#append(last);
    this.#close(head);
  }

  /** Makes room for a line and its head; returns where the head is, -1 when it has none of its own. */
  #open(stream: 1 | 2, length: number): number {
    const { packing, prefix, timestamps } = this.#options;
    this.#reserve(headLength + (timestamps ? stampLength : 0) + prefix.length + length);
    if (packing === 'bare') return -1;
    if (packing === 'runs') {
      if (this.#run === stream && this.#length + length - this.#runAt < longestRun) return -1;
      this.#closeRun();
      this.#run = stream;
      this.#runAt = this.#length;
    }
    const at = this.#length;
    this.#out[at] = stream;
    this.#out[at + 1] = 0;
    this.#out[at + 2] = 0;
    this.#out[at + 3] = 0;
    this.#length = at + headLength;
    return packing === 'runs' ? -1 : at;
  }

  #close(head: number): void {
    if (head >= 0) this.#writeLength(head);
  }

  #closeRun(): void {
    if (this.#run !== 0) this.#writeLength(this.#runAt);
    this.#run = 0;
  }

  #writeLength(head: number): void {
    const length = this.#length - head - headLength;
    const out = this.#out;
    out[head + 4] = length >>> 24;
    out[head + 5] = length >>> 16;
    out[head + 6] = length >>> 8;
    out[head + 7] = length;
  }

  #stamp(bytes: Buffer, start: number, isUtc: boolean): void {
    if (!isUtc) {
      this.#append(stampOf(bytes, start, false));
      return;
    }
    bytes.copy(this.#out, this.#length, start, start + utcLength);
    this.#length += stampLength;
    this.#out[this.#length - 2] = letterZ;
    this.#out[this.#length - 1] = space;
  }

  #append(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#out.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  #reserve(more: number): void {
    if (this.#length + more <= this.#out.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(this.#length + more, 2 * this.#length));
    this.#out.copy(grown, 0, 0, this.#length);
    this.#out = grown;
  }
}

function stampOf(bytes: Buffer, start: number, isUtc: boolean): Buffer {
  const text = isUtc ? bytes.toString('latin1', start, start + utcLength) : utcText(timeAt(bytes, start) ?? 0n);
  return Buffer.from(`${text}Z `, 'latin1');
}
