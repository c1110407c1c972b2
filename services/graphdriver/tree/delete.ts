import { randomUUID } from 'node:crypto';
import { renameSync } from 'node:fs';
import { rmdirAt, unlinkAt } from '../../../kit/linux/directory-entries.ts';
import { closeDescriptor } from '../../../kit/linux/libc.ts';
import { hasCode } from '../../../kit/linux/system-error.ts';
import { type ByteString, toBytes } from '../archive/bytes.ts';
import { ifThere, namesIn, openChild, openRoot, pathAt } from './directory.ts';

/** Directories that are open at once; what lies deeper is first moved up. */
const maxDepth = 64;

/**
 * Deletes what `name` in an open directory is, with all that is in it. Follows no symlink, and takes trees of any depth:
 * a container can make one that no path reaches.
 */
export function deleteEntry(directory: number, name: ByteString): void {
  try {
    unlinkAt(directory, toBytes(name));
    return;
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return;
    if (!hasCode(error, 'EISDIR', 'EPERM')) throw error;
  }
  emptyDirectory(directory, name);
  removeDirectory(directory, name);
}

/** Deletes a tree by its path. Its parent is a directory of ours. */
export function deleteTree(path: ByteString): void {
  const slash = path.lastIndexOf('/');
  let parent: number;
  try {
    parent = openRoot(path.slice(0, slash));
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return;
    throw error;
  }
  try {
    deleteEntry(parent, path.slice(slash + 1));
  } finally {
    closeDescriptor(parent);
  }
}

/** Deletes what is in a directory. */
function emptyDirectory(directory: number, name: ByteString): void {
  const top = ifThere(() => openChild(directory, name));
  if (top === undefined) return;
  let moved = 0;
  let passes = 0;
  const prefix = `.longshore-deep-${randomUUID()}`;
  const empty = (current: number, depth: number): void => {
    for (const entry of namesIn(current)) {
      try {
        unlinkAt(current, toBytes(entry));
        continue;
      } catch (error) {
        if (hasCode(error, 'ENOENT')) continue;
        if (!hasCode(error, 'EISDIR', 'EPERM')) throw error;
      }
      if (depth >= maxDepth) {
        renameSync(pathAt(current, entry), pathAt(top, `${prefix}-${passes}-${moved++}`));
        continue;
      }
      const child = ifThere(() => openChild(current, entry));
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

function removeDirectory(directory: number, name: ByteString): void {
  try {
    rmdirAt(directory, toBytes(name));
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
  }
}
