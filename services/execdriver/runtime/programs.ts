import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { closeDescriptor } from '../../../kit/linux/libc.ts';
import type { Processes } from '../../../kit/linux/spawn.ts';
import { pipe, readable } from '../../../kit/linux/stream.ts';

/** An absolute path of an executable, looked for as a shell does; undefined when there is none. */
export function findProgram(
  name: string,
  searchPath = process.env.PATH ?? '/usr/sbin:/usr/bin:/sbin:/bin',
): string | undefined {
  const candidates = name.includes('/')
    ? [name]
    : searchPath.split(delimiter).map((directory) => join(directory, name));
  return candidates.find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

export interface Output {
  code: number;
  /** What it said on stdout and stderr. */
  text: string;
}

/** Runs a program to its end. */
export async function runProgram(processes: Processes, file: string, args: readonly string[]): Promise<Output> {
  const [read, write] = pipe();
  const output = text(readable(read));
  try {
    const child = processes.spawn({ file, args, env: plainEnvironment(), fds: [undefined, write, write] });
    closeDescriptor(write);
    return { code: await child.exited, text: await output };
  } catch (error) {
    closeDescriptor(write);
    await output;
    throw error;
  }
}

/** What helpers see of our environment. The monitor writes a time with each line, which is cheapest in UTC for it and for us. */
export function plainEnvironment(): Record<string, string> {
  return { PATH: process.env.PATH ?? '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C', TZ: 'UTC' };
}
