import { fchmodSync, fchownSync } from 'node:fs';
import { chmodAt, chownAt, utimesAt } from '../linux/directory-entries.ts';
import { hasCode } from '../linux/system-error.ts';
import { createXattrs } from '../linux/xattr.ts';
import { type ByteString, toBytes } from './bytes.ts';
import { pathAt } from './directory.ts';
import { type ArchiveEntry, BadArchive, type Timestamp } from './entry.ts';

const xattrs = createXattrs();

/** Gives a new entry its owner, attributes and permissions, in this order: chown clears setuid and file capabilities. */
export function applyAttributes(directory: number, name: ByteString, entry: ArchiveEntry): void {
  const bytes = toBytes(name);
  chownAt(directory, bytes, checkedId(entry.uid, entry), checkedId(entry.gid, entry));
  applyXattrs(pathAt(directory, name), entry.xattrs, entry.path);
  if (entry.kind !== 'symlink') chmodAt(directory, bytes, entry.mode);
}

/** The same for a file that is open. */
export function applyFileAttributes(fd: number, directory: number, name: ByteString, entry: ArchiveEntry): void {
  fchownSync(fd, checkedId(entry.uid, entry), checkedId(entry.gid, entry));
  applyXattrs(pathAt(directory, name), entry.xattrs, entry.path);
  fchmodSync(fd, entry.mode);
}

export function applyTime(directory: number, name: ByteString, modified: Timestamp): void {
  const nanoseconds = BigInt(modified.seconds) * 1_000_000_000n + BigInt(modified.nanoseconds);
  utimesAt(directory, toBytes(name), nanoseconds, nanoseconds);
}

/** chown(2) takes -1 for "leave it". */
export function checkedId(id: number, entry: ArchiveEntry): number {
  if (!Number.isInteger(id) || id < 0 || id >= 0xffff_ffff) {
    throw new BadArchive(entry.path, `${id} is no user or group id`);
  }
  return id;
}

/**
 * `trusted.*` is left out: overlayfs keeps its own marks there, and an archive must not set them. What the filesystem has
 * no room or no support for is left out too, except what a program would miss: its capabilities.
 */
export function applyXattrs(path: Buffer, attributes: ReadonlyMap<ByteString, Buffer>, entry: ByteString): void {
  for (const [name, value] of attributes) {
    if (name.startsWith('trusted.')) continue;
    if (!/^[\x20-\x7e]{1,255}$/.test(name)) throw new BadArchive(entry, 'an extended attribute has a strange name');
    try {
      xattrs.set(path, name, value);
    } catch (error) {
      const isEssential = name === 'security.capability';
      if (hasCode(error, 'EOPNOTSUPP') && !isEssential) continue;
      // user.* is for files and directories alone; labels of a security module that isn't here are refused.
      if (hasCode(error, 'EPERM', 'EINVAL') && !isEssential) continue;
      if (hasCode(error, 'EINVAL', 'ERANGE')) throw new BadArchive(entry, `its ${name} is malformed`);
      throw error;
    }
  }
}
