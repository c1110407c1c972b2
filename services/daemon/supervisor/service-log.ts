import { closeSync, fstatSync, ftruncateSync, mkdirSync, openSync, readSync, watch } from 'node:fs';
import { join } from 'node:path';
import type { Role } from '../../../kit/roles.ts';

/** A log that has grown beyond this starts anew: all in it has been shown, and it is on memory usually. */
const longestLog = 10 * 1024 * 1024;
/** Lines are shown together, and not while their service answers the client whose call they are about. */
const showAfterMs = 100;

/**
 * Where a service writes what it has to say: a file, so that it can go on when the coordinator is killed, and so that its
 * last words are known. The coordinator shows every new line of every service on its own stderr.
 */
export interface ServiceLog {
  /** Opened for appending; the caller closes it when the service has it. */
  open(): number;
  /** Shows now what it would show soon. */
  showAll(): void;
  /** The last line that was shown. */
  lastWords(): string | undefined;
  close(): void;
}

export function serviceLog(execRoot: string, role: Role, show: (lines: Buffer) => void): ServiceLog {
  const folder = join(execRoot, 'logs');
  mkdirSync(folder, { recursive: true, mode: 0o750 });
  const path = join(folder, `${role}.log`);
  const fd = openSync(path, 'a+', 0o640);
  let shown = fstatSync(fd).size;
  let last: string | undefined;

  const follow = () => {
    const size = fstatSync(fd).size;
    if (size < shown) shown = 0;
    if (size === shown) return;
    const lines = Buffer.alloc(Math.min(size - shown, longestLog));
    shown += readSync(fd, lines, 0, lines.length, shown);
    last = lines.toString().trimEnd().split('\n').at(-1) || last;
    show(lines);
    // A line of this very moment may go with it; the service appends, so its next one is the file's first.
    if (shown > longestLog && fstatSync(fd).size === shown) ftruncateSync(fd);
  };
  let soon: NodeJS.Timeout | undefined;
  const watcher = watch(path, () => {
    soon ??= setTimeout(() => {
      soon = undefined;
      follow();
    }, showAfterMs);
  });
  return {
    open() {
      return openSync(path, 'a', 0o640);
    },
    showAll: follow,
    lastWords: () => last,
    close() {
      watcher.close();
      clearTimeout(soon);
      follow();
      closeSync(fd);
    },
  };
}
