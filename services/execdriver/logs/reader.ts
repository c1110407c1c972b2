import { passedOn } from '../../../kit/young-garbage.ts';
import { boundOf } from './bounds.ts';
import type { LogFile } from './files.ts';
import type { LogStream } from './format.ts';
import { type LogLine, unpackLines, unpackRuns } from './lines.ts';
import { Packer, type Packing } from './pack.ts';
import { beginning, firstOf, type Starts, startsOf } from './positions.ts';
import { openSource } from './source.ts';
import { startsOfTail } from './tail.ts';

export interface LogQuery {
  streams: ReadonlySet<LogStream>;
  /** Lines from the end; undefined: all. */
  tail: number | undefined;
  /** Nanoseconds since 1970; 0: no bound. */
  sinceNs: bigint;
  untilNs: bigint;
  /** To go on until this settles, which is when the container has ended; undefined: only what is there when it is asked for. */
  until: Promise<void> | undefined;
  /** A cursor to go on from, instead of `tail`; empty: none. */
  after: string;
}

/** How it is to be packed; see pack.ts. */
export interface Form {
  packing: Packing;
  timestamps: boolean;
  prefix: Uint8Array;
  inParts?: boolean;
}

/** Packed lines, and where to go on behind them. */
export interface Piece {
  packed: Buffer;
  cursor: string;
}

/**
 * What a container wrote, in order, a block at a time. A container that has ended is read whole, with a last line that has no
 * end; of one that runs, what there is when it is asked for. Following crosses rotations and restarts of this service; a piece
 * without lines says that all that there was is read.
 */
export async function* readPacked(
  directory: string,
  query: LogQuery,
  form: Form,
  signal: AbortSignal,
): AsyncGenerator<Piece> {
  const { streams, sinceNs, untilNs, until } = query;
  if (query.tail === 0 && until === undefined && query.after === '') return;
  const startsIn = (files: readonly LogFile[]): Starts | Promise<Starts> => {
    const { after, tail } = query;
    if (after !== '') {
      return startsOf(
        after,
        files.map(({ mark }) => mark),
      );
    }
    return tail === undefined ? beginning : startsOfTail(files, { count: tail, streams, sinceNs, untilNs });
  };
  await using source = await openSource(directory, { startsIn, until, untilNs }, signal);
  const packer = new Packer(
    { inParts: false, ...form, streams, since: boundOf(sinceNs), until: boundOf(untilNs) },
    source.starts,
    firstOf(source.starts),
  );
  const taken = (): Piece => ({ packed: packer.take(), cursor: source.cursor(packer.starts) });
  let hasWaited = false;
  for await (const block of source.blocks()) {
    if (block !== 'waiting') packer.add(block);
    const piece = taken();
    if (piece.packed.length > 0 || (block === 'waiting' && !hasWaited)) yield piece;
    passedOn(piece.packed.length);
    hasWaited ||= block === 'waiting';
    if (packer.isPastUntil) return;
  }
  packer.addRest();
  const rest = taken();
  if (rest.packed.length > 0) yield rest;
}

/** The same line by line. */
export async function* readLog(
  directory: string,
  query: LogQuery,
  signal: AbortSignal,
): AsyncGenerator<{ lines: LogLine[]; cursor: string }> {
  const form: Form = { packing: 'lines', timestamps: true, prefix: Buffer.alloc(0) };
  for await (const { packed, cursor } of readPacked(directory, query, form, signal)) {
    if (packed.length > 0) yield { lines: unpackLines(packed), cursor };
  }
}

/** The same as bytes: each part as it was written, without waiting for the ends of lines. */
export async function* readLogBytes(
  directory: string,
  query: Pick<LogQuery, 'streams' | 'until'>,
  signal: AbortSignal,
): AsyncGenerator<{ stream: LogStream; bytes: Buffer }> {
  const form: Form = { packing: 'runs', timestamps: false, prefix: Buffer.alloc(0), inParts: true };
  const all = { ...query, tail: undefined, sinceNs: 0n, untilNs: 0n, after: '' };
  for await (const { packed } of readPacked(directory, all, form, signal)) yield* unpackRuns(packed);
}
