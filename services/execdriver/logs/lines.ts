import type { LogEntry, LogStream } from './format.ts';

/** A line as the container wrote it, with its line end; or a piece of one that has none (yet). */
export interface LogLine {
  stream: LogStream;
  line: Buffer;
  /** When its first byte was read. */
  timeNs: bigint;
}

/** Lines longer than this are handed on in pieces: a container must not fill our memory by not ending a line. */
const longestLine = 1024 * 1024;

interface Begun {
  parts: Buffer[];
  length: number;
  timeNs: bigint;
}

export const lineEnd = Buffer.from('\n');

/** Joins what a container wrote as one line but the monitor read in parts; stdout and stderr each for themselves. */
export class LineJoiner {
  #begun = new Map<LogStream, Begun>();

  /** The line that this record completes, if it does. */
  add(entry: LogEntry): LogLine | undefined {
    const { stream } = entry;
    const begun = this.#begun.get(stream);
    if (!entry.partial) {
      this.#begun.delete(stream);
      const parts = begun === undefined ? [entry.text, lineEnd] : [...begun.parts, entry.text, lineEnd];
      return { stream, line: Buffer.concat(parts), timeNs: begun?.timeNs ?? entry.timeNs };
    }
    const grown = begun ?? { parts: [], length: 0, timeNs: entry.timeNs };
    // The bytes are a view into a buffer that is used again.
    grown.parts.push(Buffer.from(entry.text));
    grown.length += entry.text.length;
    if (grown.length < longestLine) {
      this.#begun.set(stream, grown);
      return undefined;
    }
    this.#begun.delete(stream);
    return { stream, line: Buffer.concat(grown.parts), timeNs: grown.timeNs };
  }

  /** What has no line end, at the end of everything. */
  rest(): LogLine[] {
    const lines = [...this.#begun].map(([stream, { parts, timeNs }]) => ({
      stream,
      line: Buffer.concat(parts),
      timeNs,
    }));
    this.#begun.clear();
    return lines.sort((a, b) => Number(a.timeNs - b.timeNs));
  }
}
