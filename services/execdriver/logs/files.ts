import { closeSync, fstatSync, openSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';

/** The newest file; older ones are `container.log.1`, `.2` and so on. */
export const logFile = 'container.log';

/** An open file of a log. */
export interface LogFile {
  descriptor: number;
  /** Names it, also after it is renamed; see positions.ts. */
  mark: string;
  /** When it was opened. Only the newest one grows. */
  size: number;
}

/** Numbers of the rotated files that are there, the oldest first. */
function rotated(directory: string): number[] {
  return readdirSync(directory)
    .flatMap((name) => /^container\.log\.(\d+)$/.exec(name)?.[1] ?? [])
    .map(Number)
    .sort((a, b) => b - a);
}

/** A container's log files, the oldest first. None when there is no such directory. */
export function logFiles(directory: string): string[] {
  try {
    const names = readdirSync(directory);
    const current = names.includes(logFile) ? [join(directory, logFile)] : [];
    return [...rotated(directory).map((number) => join(directory, `${logFile}.${number}`)), ...current];
  } catch (error) {
    if (isAbsent(error)) return [];
    throw error;
  }
}

/** Opens them all at one instant, so that a rotation neither hides one nor shows one twice. The caller closes them. */
export function openLogFiles(directory: string): number[] {
  return logFiles(directory).map((path) => openSync(path, 'r'));
}

/**
 * The file that came after an open one, opened; undefined while the open one is the newest. If the open one has been
 * rotated away for good it is the oldest that is left.
 */
export function openNextLogFile(directory: string, descriptor: number): number | undefined {
  const { ino } = fstatSync(descriptor);
  const opened = openLogFiles(directory);
  const at = opened.findIndex((candidate) => fstatSync(candidate).ino === ino);
  const next = opened[at + 1];
  for (const other of opened) if (other !== next) closeSync(other);
  return next;
}

/**
 * Makes room for a new newest file by renaming, and lets the oldest go; `keep` files are left, the new one counted. What the
 * monitor writes until it reopens goes on into the renamed file.
 */
export function shiftLogFiles(directory: string, keep: number): void {
  for (const number of rotated(directory)) {
    const path = join(directory, `${logFile}.${number}`);
    if (number + 1 >= keep) rmSync(path, { force: true });
    else renameSync(path, join(directory, `${logFile}.${number + 1}`));
  }
  const current = join(directory, logFile);
  if (keep > 1) renameSync(current, `${current}.1`);
  else rmSync(current);
}

function isAbsent(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}
