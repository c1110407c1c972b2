import { close, closeSync, existsSync, fstatSync, read, statSync, watch } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { logFile, openLogFiles, openNextLogFile } from './files.ts';
import { type LogEntry, type LogStream, parseEntries } from './format.ts';
import { LineJoiner, type LogLine, lineEnd } from './lines.ts';
import { type Place, placeOfTail } from './tail.ts';

export interface LogQuery {
  streams: ReadonlySet<LogStream>;
  /** Lines from the end; undefined: all. */
  tail: number | undefined;
  /** Nanoseconds since 1970; 0: no bound. */
  sinceNs: bigint;
  untilNs: bigint;
  /** To go on until this settles, which is when the container has ended; undefined: only what is there. */
  until: Promise<void> | undefined;
}

const readAsync = promisify(read);
const blockSize = 256 * 1024;

/**
 * What a container wrote, in order, a block of lines at a time. A container that has ended is read whole, with a last line
 * that has no end. Following crosses rotations and restarts of this service; nothing is polled.
 */
export async function* readLog(directory: string, query: LogQuery, signal: AbortSignal): AsyncGenerator<LogLine[]> {
  if (query.tail === 0 && query.until === undefined) return;
  await using source = openSource(directory, query, signal);
  const joiner = new LineJoiner();
  let left = query.tail === undefined ? undefined : new Tail(query.tail);
  for await (const block of source.blocks()) {
    if (block === 'waiting') {
      // Everything that was there has been read: from here on lines are handed on as they come.
      if (left) yield* nonEmpty(left.take());
      left = undefined;
      continue;
    }
    const lines: LogLine[] = [];
    for (const entry of block) {
      if (!query.streams.has(entry.stream)) continue;
      if (query.untilNs !== 0n && entry.timeNs > query.untilNs) {
        if (left) yield* nonEmpty(left.take());
        yield* nonEmpty(lines);
        return;
      }
      const line = joiner.add(entry);
      if (line === undefined || line.timeNs < query.sinceNs) continue;
      if (left) left.add(line);
      else lines.push(line);
    }
    yield* nonEmpty(lines);
  }
  const rest = joiner.rest().filter((line) => line.timeNs >= query.sinceNs);
  if (left) {
    for (const line of rest) left.add(line);
    yield* nonEmpty(left.take());
  } else {
    yield* nonEmpty(rest);
  }
}

/** The same as bytes: each part as it was written, without waiting for the ends of lines. */
export async function* readLogBytes(
  directory: string,
  query: Pick<LogQuery, 'streams' | 'until'>,
  signal: AbortSignal,
): AsyncGenerator<{ stream: LogStream; bytes: Buffer }> {
  await using source = openSource(directory, { ...query, tail: undefined, sinceNs: 0n, untilNs: 0n }, signal);
  for await (const block of source.blocks()) {
    if (block === 'waiting') continue;
    let joined: { stream: LogStream; parts: Buffer[] } | undefined;
    for (const { stream, partial, text } of block) {
      if (!query.streams.has(stream)) continue;
      if (joined?.stream !== stream) {
        if (joined) yield { stream: joined.stream, bytes: Buffer.concat(joined.parts) };
        joined = { stream, parts: [] };
      }
      joined.parts.push(text);
      if (!partial) joined.parts.push(lineEnd);
    }
    if (joined) yield { stream: joined.stream, bytes: Buffer.concat(joined.parts) };
  }
}

function* nonEmpty(lines: LogLine[]): Generator<LogLine[]> {
  if (lines.length > 0) yield lines;
}

/** The last few of what is added. */
class Tail {
  #size: number;
  #lines: LogLine[] = [];

  constructor(size: number) {
    this.#size = size;
  }

  add(line: LogLine): void {
    this.#lines.push(line);
    if (this.#lines.length > 2 * this.#size + 64) this.#lines = this.take();
  }

  take(): LogLine[] {
    return this.#size === 0 ? [] : this.#lines.slice(-this.#size);
  }
}

interface Source extends AsyncDisposable {
  /** Records as they come; `waiting` each time that all there is has been read and more may come. */
  blocks(): AsyncGenerator<LogEntry[] | 'waiting'>;
}

function openSource(directory: string, query: LogQuery, signal: AbortSignal): Source {
  const descriptors = openLogFiles(directory);
  const place: Place =
    query.tail === undefined ? { file: 0, offset: 0 } : placeOfTail(descriptors, query.tail, query.streams);
  for (const skipped of descriptors.splice(0, place.file)) closeSync(skipped);
  const changes = query.until === undefined ? undefined : watchChanges(directory, query, signal);

  async function* blocks(): AsyncGenerator<LogEntry[] | 'waiting'> {
    const buffer = Buffer.alloc(blockSize);
    let position = place.offset;
    let held = Buffer.alloc(0);
    for (;;) {
      if (signal.aborted) return;
      // Asked for before looking, so that what happens meanwhile is not missed.
      const changed = changes?.next();
      const hasEnded = changes?.hasEnded ?? true;
      const [current] = descriptors;
      if (current !== undefined) {
        const { bytesRead } = await readAsync(current, buffer, 0, buffer.length, position);
        if (bytesRead > 0) {
          position += bytesRead;
          const bytes =
            held.length === 0 ? buffer.subarray(0, bytesRead) : Buffer.concat([held, buffer.subarray(0, bytesRead)]);
          const { entries, length } = parseEntries(bytes);
          if (entries.length > 0) yield entries;
          held = Buffer.from(bytes.subarray(length));
          continue;
        }
      }
      // A later file shows that this one is finished, and that was so before its end was seen only if it is read once more.
      const next = nextFile(directory, descriptors);
      if (next) {
        if (current !== undefined && position < fstatSync(current).size) continue;
        if (current !== undefined) close(descriptors.shift() ?? current);
        position = 0;
        held = Buffer.alloc(0);
        continue;
      }
      if (hasEnded) return;
      yield 'waiting';
      await changed;
    }
  }

  return {
    blocks,
    async [Symbol.asyncDispose]() {
      changes?.close();
      for (const descriptor of descriptors) closeSync(descriptor);
    },
  };
}

/** Makes sure that the file after the current one is opened, if there is one. */
function nextFile(directory: string, descriptors: number[]): boolean {
  const [current] = descriptors;
  if (descriptors.length > 1) return true;
  if (current === undefined) {
    descriptors.push(...openLogFiles(directory));
    return descriptors.length > 0;
  }
  // Mostly it is still the newest.
  const newest = statSync(join(directory, logFile), { throwIfNoEntry: false });
  if (newest?.ino === fstatSync(current).ino) return false;
  const next = existsSync(directory) ? openNextLogFile(directory, current) : undefined;
  if (next !== undefined) descriptors.push(next);
  return next !== undefined;
}

interface Changes {
  /** Settles when something has changed after the call. */
  next(): Promise<void>;
  readonly hasEnded: boolean;
  close(): void;
}

function watchChanges(directory: string, query: LogQuery, signal: AbortSignal): Changes {
  let changed = Promise.withResolvers<void>();
  let hasEnded = false;
  const wake = () => {
    const waiting = changed;
    changed = Promise.withResolvers();
    waiting.resolve();
  };
  const end = () => {
    hasEnded = true;
    wake();
  };
  const watcher = existsSync(directory) ? watch(directory, wake) : undefined;
  watcher?.on('error', end);
  void query.until?.then(end, end);
  const untilMs = Number(query.untilNs / 1_000_000n) - Date.now();
  const timer = query.untilNs === 0n ? undefined : setTimeout(end, Math.min(Math.max(untilMs, 0), 2 ** 31 - 1));
  timer?.unref();
  signal.addEventListener('abort', end, { once: true });
  return {
    next: () => changed.promise,
    get hasEnded() {
      return hasEnded;
    },
    close() {
      watcher?.close();
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
    },
  };
}
