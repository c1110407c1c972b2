import {
  type BigIntStats,
  constants,
  copyFileSync,
  fchmodSync,
  fchownSync,
  fstatSync,
  lstatSync,
  readdirSync,
  readlinkSync,
} from 'node:fs';
import {
  chmodAt,
  chownAt,
  linkAt,
  mkdirAt,
  mknodAt,
  symlinkAt,
  unlinkAt,
  utimesAt,
} from '../../kit/linux/directory-entries.ts';
import { closeDescriptor, OpenFlag } from '../../kit/linux/libc.ts';
import { openBeneath } from '../../kit/linux/openat2.ts';
import { hasCode } from '../../kit/linux/system-error.ts';
import { createXattrs } from '../../kit/linux/xattr.ts';

/**
 * Copies what is in one directory into another, both given by descriptors: files with owners, modes, times, extended
 * attributes; symlinks as they are; hard links among the files; devices, fifos. The source is a container's: it is walked
 * name by name through descriptors, so no symlink in it, whenever put there, leads out. What is in the way is replaced,
 * so that a copy that was cut can be begun again.
 */
export function copyTree(source: number, destination: number): void {
  copyDirectory(source, destination, { destination, seen: new Map() }, []);
}

/** Gives the destination the source directory's own owner, mode, times and attributes. */
export function copyOwnAttributes(source: number, destination: number): void {
  const stats = lstatSync(`/proc/self/fd/${source}/.`, { bigint: true });
  fchownSync(destination, Number(stats.uid), Number(stats.gid));
  fchmodSync(destination, Number(stats.mode) & 0o7777);
  copyXattrs(pathAt(source, dot), pathAt(destination, dot));
}

interface Copy {
  /** The root of the copy. */
  destination: number;
  /** Where the first name of a file with several was copied to, by its inode. */
  seen: Map<string, Buffer[]>;
}

const dot = Buffer.from('.');
const xattrs = createXattrs();
const directoryFlags = OpenFlag.RDONLY | OpenFlag.DIRECTORY | OpenFlag.NOFOLLOW;

/** A path that names an entry of an open directory, for calls that have no form with a descriptor. */
function pathAt(directory: number, name: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`/proc/self/fd/${directory}/`), name]);
}

function copyDirectory(source: number, destination: number, copy: Copy, path: readonly Buffer[]): void {
  for (const name of readdirSync(pathAt(source, dot), { encoding: 'buffer' })) {
    const stats = lstatSync(pathAt(source, name), { bigint: true });
    copyEntry(source, destination, name, stats, copy, [...path, name]);
  }
}

function copyEntry(
  source: number,
  destination: number,
  name: Buffer,
  stats: BigIntStats,
  copy: Copy,
  path: readonly Buffer[],
): void {
  if (stats.isSocket()) return; // It belongs to a process that isn't here.
  if (stats.isDirectory()) {
    makeDirectory(destination, name);
    using from = opened(source, name, directoryFlags);
    using to = opened(destination, name, directoryFlags);
    copyDirectory(from.fd, to.fd, copy, path);
  } else {
    remove(destination, name);
    if (linkToFirst(destination, name, stats, copy, path)) return;
    if (stats.isFile()) copyFile(source, destination, name);
    else if (stats.isSymbolicLink())
      symlinkAt(readlinkSync(pathAt(source, name), { encoding: 'buffer' }), destination, name);
    else mknodAt(destination, name, Number(stats.mode), Number(stats.rdev));
  }
  chownAt(destination, name, Number(stats.uid), Number(stats.gid));
  if (!stats.isSymbolicLink()) chmodAt(destination, name, Number(stats.mode));
  copyXattrs(pathAt(source, name), pathAt(destination, name));
  utimesAt(destination, name, stats.atimeNs, stats.mtimeNs);
}

/** True when another name of the same file has been copied, to which this one is now linked. */
function linkToFirst(
  destination: number,
  name: Buffer,
  stats: BigIntStats,
  copy: Copy,
  path: readonly Buffer[],
): boolean {
  if (stats.nlink < 2n) return false;
  const inode = `${stats.dev}:${stats.ino}`;
  const first = copy.seen.get(inode);
  if (first === undefined) {
    copy.seen.set(inode, [...path]);
    return false;
  }
  const parents = first.slice(0, -1).flatMap((part) => [part, Buffer.from('/')]);
  using parent = opened(copy.destination, Buffer.concat([...parents, dot]), directoryFlags);
  linkAt(parent.fd, first.at(-1) ?? dot, destination, name);
  return true;
}

/** The kernel copies: by reference where the file system can, else without bringing the bytes here. */
function copyFile(source: number, destination: number, name: Buffer): void {
  using from = opened(source, name, OpenFlag.RDONLY | OpenFlag.NOFOLLOW | OpenFlag.NONBLOCK);
  if (!fstatSync(from.fd).isFile()) return; // Something else has come in its place; reading that might wait for ever.
  using to = opened(destination, name, OpenFlag.WRONLY | OpenFlag.CREAT | OpenFlag.EXCL | OpenFlag.NOFOLLOW, 0o600);
  copyFileSync(`/proc/self/fd/${from.fd}`, `/proc/self/fd/${to.fd}`, constants.COPYFILE_FICLONE);
}

function makeDirectory(destination: number, name: Buffer): void {
  try {
    mkdirAt(destination, name, 0o700);
  } catch (error) {
    if (!hasCode(error, 'EEXIST')) throw error;
  }
}

function remove(destination: number, name: Buffer): void {
  try {
    unlinkAt(destination, name);
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
  }
}

function copyXattrs(from: Buffer, to: Buffer): void {
  for (const name of xattrs.list(from)) {
    const value = xattrs.get(from, name);
    if (value === undefined || name.startsWith('trusted.overlay.')) continue;
    try {
      xattrs.set(to, name, value);
    } catch (error) {
      // A volume on a file system without them, or a label that only its security module may set.
      if (!hasCode(error, 'ENOTSUP', 'EOPNOTSUPP', 'EPERM')) throw error;
    }
  }
}

function opened(directory: number, name: Buffer, flags: number, mode = 0): { fd: number } & Disposable {
  const fd = openBeneath(directory, name, flags, mode);
  return { fd, [Symbol.dispose]: () => closeDescriptor(fd) };
}
