import { randomUUID } from 'node:crypto';
import { readdirSync, renameSync } from 'node:fs';
import { dirname } from 'node:path';
import { rmdirAt, unlinkAt } from './directory-entries.ts';
import { closeDescriptor, OpenFlag, openDescriptor, type PathLike } from './libc.ts';
import { openBeneath } from './openat2.ts';
import { hasCode } from './system-error.ts';

/** Directories that are open at once; what lies deeper is first moved up. */
const maxDepth = 64;

/**
 * Deletes what `name` in an open directory is, with all that is in it. Follows no symlink, and takes trees of any depth
 * (a container can make one that no path reaches) and trees that others change or delete meanwhile.
 */
export function deleteEntry(directory: number, name: PathLike): void {
  if (unlinked(directory, name)) return;
  emptyDirectory(directory, name);
  removeDirectory(directory, name);
}

/** Deletes a tree by its path, if it is there. Its parent is a directory of ours. */
export function deleteTree(path: string): void {
  const parent = ifThere(() => openDescriptor(dirname(path), OpenFlag.RDONLY | OpenFlag.DIRECTORY));
  if (parent === undefined) return;
  try {
    deleteEntry(parent, path.slice(path.lastIndexOf('/') + 1));
  } finally {
    closeDescriptor(parent);
  }
}

/** Deletes what is in a directory. */
function emptyDirectory(directory: number, name: PathLike): void {
  const top = openChild(directory, name);
  if (top === undefined) return;
  let moved = 0;
  let passes = 0;
  const prefix = `.longshore-deep-${randomUUID()}`;
  const empty = (current: number, depth: number): void => {
    for (const entry of namesIn(current)) {
      if (unlinked(current, entry)) continue;
      if (depth >= maxDepth) {
        const target = pathAt(top, Buffer.from(`${prefix}-${passes}-${moved++}`));
        ifThere(() => renameSync(pathAt(current, entry), target));
        continue;
      }
      const child = openChild(current, entry);
      if (child === undefined) continue;
      try {
        empty(child, depth + 1);
      } finally {
        closeDescriptor(child);
      }
      removeDirectory(current, entry);
    }
  };
  try {
    do {
      moved = 0;
      passes += 1;
      empty(top, 1);
    } while (moved > 0);
  } finally {
    closeDescriptor(top);
  }
}

/** True when the entry is gone; false for a directory. */
function unlinked(directory: number, name: PathLike): boolean {
  try {
    unlinkAt(directory, name);
    return true;
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return true;
    if (hasCode(error, 'EISDIR', 'EPERM')) return false;
    throw error;
  }
}

function removeDirectory(directory: number, name: PathLike): void {
  try {
    rmdirAt(directory, name);
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
  }
}

/** Never through a symlink. */
function openChild(directory: number, name: PathLike): number | undefined {
  return ifThere(() => openBeneath(directory, name, OpenFlag.RDONLY | OpenFlag.DIRECTORY | OpenFlag.NOFOLLOW));
}

function namesIn(directory: number): Buffer[] {
  return readdirSync(pathAt(directory, Buffer.from('.')), { encoding: 'buffer' });
}

/** A path that names an entry of an open directory, for calls that have no form with a descriptor. */
function pathAt(directory: number, name: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`/proc/self/fd/${directory}/`), name]);
}

/** Undefined when somebody has taken it away, or has put something of another kind there. */
function ifThere<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR', 'ELOOP', 'ENXIO')) return undefined;
    throw error;
  }
}
