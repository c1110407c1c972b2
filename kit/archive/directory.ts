import { type BigIntStats, lstatSync, readdirSync, readlinkSync } from 'node:fs';
import { closeDescriptor, OpenFlag, openDescriptor } from '../linux/libc.ts';
import { openBeneath } from '../linux/openat2.ts';
import { hasCode } from '../linux/system-error.ts';
import { type ByteString, toBytes } from './bytes.ts';

/**
 * Directories of trees that containers write. They are worked on through descriptors, one name at a time, because a
 * process may at any moment put a symlink where a directory was: a path of two components could lead out of the tree.
 */

/** Opens a tree's root, whose path is ours. The caller closes it. */
export function openRoot(path: ByteString): number {
  return openDescriptor(toBytes(path), OpenFlag.RDONLY | OpenFlag.DIRECTORY);
}

/** Opens a subdirectory, never through a symlink. The caller closes it. */
export function openChild(directory: number, name: ByteString): number {
  return openBeneath(directory, toBytes(name), OpenFlag.RDONLY | OpenFlag.DIRECTORY | OpenFlag.NOFOLLOW);
}

/**
 * Looks at something that a running container may take away at the same moment; undefined when it has, or has put something
 * of another kind there.
 */
export function ifThere<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR', 'ELOOP', 'ENXIO')) return undefined;
    throw error;
  }
}

/** Runs `use` with a subdirectory open. */
export function inChild<T>(directory: number, name: ByteString, use: (child: number) => T): T {
  const child = openChild(directory, name);
  try {
    return use(child);
  } finally {
    closeDescriptor(child);
  }
}

/** A path that names an entry of an open directory, for calls that have no form with a descriptor. */
export function pathAt(directory: number, name: ByteString): Buffer {
  return toBytes(`/proc/self/fd/${directory}/${name}`);
}

/** The directory's names, sorted by their bytes. */
export function namesIn(directory: number): ByteString[] {
  return readdirSync(pathAt(directory, '.'), { encoding: 'latin1' }).sort();
}

/** An entry itself, also when it is a symlink; undefined when there is none. */
export function statAt(directory: number, name: ByteString): BigIntStats | undefined {
  return statAtPath(pathAt(directory, name));
}

export function statAtPath(path: Buffer): BigIntStats | undefined {
  return ifThere(() => lstatSync(path, { bigint: true }));
}

export function linkTargetAt(directory: number, name: ByteString): ByteString {
  return readlinkSync(pathAt(directory, name), { encoding: 'latin1' });
}

/** `directory/name`, or the name alone in the tree's root. */
export function joined(directory: ByteString, name: ByteString): ByteString {
  return directory === '' ? name : `${directory}/${name}`;
}
