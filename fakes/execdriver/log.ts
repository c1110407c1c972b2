import { nowNs } from '../events.ts';
import type { Stream } from './program.ts';

export interface LogLine {
  stream: Stream;
  /** With its end, or the last part without one. */
  line: Buffer;
  timeNs: bigint;
  /** From 1 on, among those that are finished; those that are not share the next. */
  number: number;
}

/** What a container wrote, by lines. */
export interface Log {
  write(stream: Stream, bytes: Buffer): void;
  /** The process has ended: what has no line's end is a line too. */
  flush(): void;
  /** What is there, unfinished lines last. */
  lines(): LogLine[];
  /** Tells each finished line from now on; the answer ends it. */
  follow(told: (line: LogLine) => void): () => void;
}

type Unfinished = Omit<LogLine, 'number'>;

export function createLog(): Log {
  const finished: LogLine[] = [];
  const unfinished = new Map<Stream, Unfinished>();
  const followers = new Set<(line: LogLine) => void>();
  const numbered = (line: Unfinished) => ({ ...line, number: finished.length + 1 });
  const finish = (unnumbered: Unfinished) => {
    const line = numbered(unnumbered);
    finished.push(line);
    for (const tell of followers) tell(line);
  };
  return {
    write(stream, bytes) {
      let at = 0;
      for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10, at)) {
        const begun = unfinished.get(stream);
        unfinished.delete(stream);
        const line = Buffer.concat([begun?.line ?? Buffer.alloc(0), bytes.subarray(at, end + 1)]);
        finish({ stream, line, timeNs: begun?.timeNs ?? nowNs() });
        at = end + 1;
      }
      if (at === bytes.length) return;
      const begun = unfinished.get(stream);
      const line = Buffer.concat([begun?.line ?? Buffer.alloc(0), bytes.subarray(at)]);
      unfinished.set(stream, { stream, line, timeNs: begun?.timeNs ?? nowNs() });
    },
    flush() {
      for (const line of unfinished.values()) finish(line);
      unfinished.clear();
    },
    lines: () => [...finished, ...[...unfinished.values()].map(numbered)],
    follow(tell) {
      followers.add(tell);
      return () => followers.delete(tell);
    },
  };
}
