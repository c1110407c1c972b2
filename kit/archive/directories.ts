import { fstatSync } from 'node:fs';
import { chmodAt, mkdirAt } from '../linux/directory-entries.ts';
import { closeDescriptor, OpenFlag } from '../linux/libc.ts';
import { openInRoot } from '../linux/openat2.ts';
import { hasCode } from '../linux/system-error.ts';
import { type ByteString, toBytes } from './bytes.ts';
import { joined } from './directory.ts';
import { BadArchive } from './entry.ts';

/** The open directories of the place that an archive is unpacked into. Paths are relative to it; '' is the place itself. */
export interface Directories extends Disposable {
  /** The place. */
  readonly root: number;
  /**
   * The directory that an entry goes into, made if the archive didn't name it before. Symlinks on the way are followed inside
   * the tree only. The descriptor stays open until the next call.
   */
  open(path: ByteString, entry: ByteString): number;
  /** Runs `use` with a directory that is there already; throws the system's error when it is not. */
  within<T>(path: ByteString, use: (directory: number) => T): T;
  /** To be called when something was replaced or removed: paths may now lead elsewhere. */
  changed(): void;
  /** Tells directories apart: equal for equal directories, by whatever path. */
  identity(directory: number): string;
}

/** Where an archive goes: a directory of a tree that nothing may lead out of. */
export interface Place {
  /** The tree's root, open. */
  tree: number;
  /** The directory, open; the tree's root itself, or below it. Closed with the directories. */
  directory: number;
  /** The way from the one to the other, without a slash at its ends. */
  path: ByteString;
}

/** `made` is told of each directory that the archive took for granted. */
export function openDirectories(
  place: Place,
  made: (parent: number, name: ByteString, path: ByteString) => void = () => undefined,
): Directories {
  const root = place.directory;
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
      made(parent, name, path);
    } catch (error) {
      if (hasCode(error, 'EEXIST')) throw new BadArchive(entry, `it is below ${path}, a symlink that leads nowhere`);
      throw error;
    } finally {
      if (parent !== root) closeDescriptor(parent);
    }
    return reach(path, entry);
  }

  /** A new descriptor, or the place's. */
  function find(path: ByteString): number {
    if (path === '') return root;
    return openInRoot(place.tree, toBytes(joined(place.path, path)), OpenFlag.RDONLY | OpenFlag.DIRECTORY);
  }

  function reach(path: ByteString, entry: ByteString): number {
    try {
      return find(path);
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
    within(path, use) {
      const descriptor = find(path);
      try {
        return use(descriptor);
      } finally {
        if (descriptor !== root) closeDescriptor(descriptor);
      }
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
