import { fstatSync, lstatSync } from 'node:fs';
import { chmodAt, chownAt, mkdirAt, utimesAt } from '../../../kit/linux/directory-entries.ts';
import { closeDescriptor, OpenFlag } from '../../../kit/linux/libc.ts';
import { openInRoot } from '../../../kit/linux/openat2.ts';
import { hasCode } from '../../../kit/linux/system-error.ts';
import { type ByteString, toBytes } from '../archive/bytes.ts';
import { BadArchive } from '../archive/entry.ts';
import { portableXattrs } from '../tree/describe.ts';
import { openRoot, pathAt } from '../tree/directory.ts';
import { type MergedDirectory, mergedDirectory } from '../tree/merged.ts';
import { applyXattrs } from './attributes.ts';

/** The open directories of a layer that is being unpacked. */
export interface Directories extends Disposable {
  readonly root: number;
  /**
   * The directory that an entry goes into, made if the archive didn't name it before. Symlinks on the way are followed inside
   * the layer only. The descriptor stays open until the next call.
   */
  open(path: ByteString, entry: ByteString): number;
  /** To be called when something was replaced or removed: paths may now lead elsewhere. */
  changed(): void;
  /** Tells directories apart: equal for equal directories, by whatever path. */
  identity(directory: number): string;
}

/** `lowers` are the layers below, from the top down, when they aren't in the tree itself. */
export function openDirectories(rootPath: ByteString, lowers: readonly ByteString[]): Directories {
  const root = openRoot(rootPath);
  const below = mergedDirectory(lowers);
  let current = { path: '', descriptor: root, identity: '' };
  let isStale = false;

  function make(path: ByteString, entry: ByteString): number {
    const slash = path.lastIndexOf('/');
    const parentPath = slash === -1 ? '' : path.slice(0, slash);
    const name = path.slice(slash + 1);
    const parent = reach(parentPath, entry);
    try {
      mkdirAt(parent, toBytes(name), 0o755);
      // Whatever this process's umask is.
      chmodAt(parent, toBytes(name), 0o755);
      copyAttributes(below, path, parent, name);
    } catch (error) {
      if (hasCode(error, 'EEXIST')) throw new BadArchive(entry, `it is below ${path}, a symlink that leads nowhere`);
      throw error;
    } finally {
      if (parent !== root) closeDescriptor(parent);
    }
    return reach(path, entry);
  }

  /** A new descriptor, or the root's. */
  function reach(path: ByteString, entry: ByteString): number {
    if (path === '') return root;
    try {
      return openInRoot(root, toBytes(path), OpenFlag.RDONLY | OpenFlag.DIRECTORY);
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return make(path, entry);
      if (hasCode(error, 'ENOTDIR')) throw new BadArchive(entry, `it is below ${path}, which is no directory`);
      if (hasCode(error, 'ELOOP')) throw new BadArchive(entry, 'there are too many symlinks in its path');
      throw error;
    }
  }

  function leave(): void {
    if (current.descriptor !== root) closeDescriptor(current.descriptor);
    current = { path: '', descriptor: root, identity: '' };
  }

  return {
    root,
    open(path, entry) {
      if (path === current.path && !isStale) return current.descriptor;
      leave();
      isStale = false;
      const descriptor = reach(path, entry);
      current = { path, descriptor, identity: '' };
      return descriptor;
    },
    changed() {
      isStale = true;
    },
    identity(directory) {
      if (directory === current.descriptor && current.identity !== '') return current.identity;
      const { dev, ino } = fstatSync(directory, { bigint: true });
      const identity = `${dev}:${ino}`;
      if (directory === current.descriptor) current.identity = identity;
      return identity;
    },
    [Symbol.dispose]() {
      leave();
      closeDescriptor(root);
    },
  };
}

/** A directory that the archive takes for granted is that of the layers below; in an overlay ours would hide its attributes. */
function copyAttributes(below: MergedDirectory, path: ByteString, parent: number, name: ByteString): void {
  let place = below;
  for (const part of path.split('/')) place = place.child(part);
  if (place.top === undefined) return;
  const stats = lstatSync(toBytes(place.top), { bigint: true });
  const bytes = toBytes(name);
  chownAt(parent, bytes, Number(stats.uid), Number(stats.gid));
  applyXattrs(pathAt(parent, name), portableXattrs(toBytes(place.top)), path);
  chmodAt(parent, bytes, Number(stats.mode & 0o7777n));
  utimesAt(parent, bytes, undefined, stats.mtimeNs);
}
