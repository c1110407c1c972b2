import { lstatSync, readdirSync } from 'node:fs';
import { closeDescriptor, OpenFlag } from '../../kit/linux/libc.ts';
import { openBeneath } from '../../kit/linux/openat2.ts';

/** Copying this much takes a few milliseconds. */
const fewEntries = 64;
const fewBytes = 4 * 1024 * 1024;

/** True when a directory, given by its descriptor, holds little. It is walked by descriptors, and no further than needed. */
export function holdsLittle(directory: number): boolean {
  return restAfter(directory, { entries: fewEntries, bytes: fewBytes }) !== undefined;
}

interface Rest {
  entries: number;
  bytes: number;
}

/** What is left of the allowance; undefined when it is used up. */
function restAfter(directory: number, allowance: Rest): Rest | undefined {
  const path = Buffer.from(`/proc/self/fd/${directory}/`);
  let rest: Rest | undefined = allowance;
  for (const name of readdirSync(Buffer.concat([path, Buffer.from('.')]), { encoding: 'buffer' })) {
    const stats = lstatSync(Buffer.concat([path, name]));
    rest = { entries: rest.entries - 1, bytes: rest.bytes - (stats.isFile() ? stats.size : 0) };
    if (rest.entries < 0 || rest.bytes < 0) return undefined;
    if (!stats.isDirectory()) continue;
    const child = openBeneath(directory, name, OpenFlag.RDONLY | OpenFlag.DIRECTORY | OpenFlag.NOFOLLOW);
    try {
      rest = restAfter(child, rest);
    } finally {
      closeDescriptor(child);
    }
    if (rest === undefined) return undefined;
  }
  return rest;
}
