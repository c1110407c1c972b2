import { fstatSync } from 'node:fs';
import { errors } from '../errors.ts';
import type { LogStream } from './format.ts';

/** A byte in a log: files are numbered in the order in which they were written, from those that were there first. */
export interface Position {
  file: number;
  offset: number;
}

/** From where on each stream is read. */
export type Starts = Readonly<Record<LogStream, Position>>;

export const beginning: Starts = { stdout: { file: 0, offset: 0 }, stderr: { file: 0, offset: 0 } };

export function firstOf({ stdout, stderr }: Starts): Position {
  const isFirst = stdout.file < stderr.file || (stdout.file === stderr.file && stdout.offset <= stderr.offset);
  return isFirst ? stdout : stderr;
}

/** Names an open file, also after it is renamed. An inode's number alone is given away again; with the time of its birth it is not. */
export function fileMark(descriptor: number): string {
  const { ino, birthtimeNs } = fstatSync(descriptor, { bigint: true });
  return `${ino.toString(36)}.${birthtimeNs.toString(36)}`;
}

/** What a reader needs to go on: where each stream's next line begins. */
export function cursorOf(starts: Starts, markOf: (file: number) => string): string {
  return [starts.stdout, starts.stderr].map(({ file, offset }) => `${markOf(file)}:${offset}`).join(',');
}

/** A cursor among the files that there are. Of a file that is gone all has been rotated away: what is left comes after it. */
export function startsOf(cursor: string, marks: readonly string[]): Starts {
  const places = cursor.split(',').map((text): Position => {
    const [, mark, offset] = /^([0-9a-z]*\.[0-9a-z]*|):(\d{1,15})$/.exec(text) ?? [];
    if (mark === undefined) throw errors.badFrame({ detail: `${JSON.stringify(cursor)} is no cursor of a log` });
    const file = marks.indexOf(mark);
    return file < 0 ? { file: 0, offset: 0 } : { file, offset: Number(offset) };
  });
  const [stdout, stderr] = places;
  if (stdout === undefined || stderr === undefined || places.length > 2) {
    throw errors.badFrame({ detail: `${JSON.stringify(cursor)} is no cursor of a log` });
  }
  return { stdout, stderr };
}
