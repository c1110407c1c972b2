import type { BigIntStats } from 'node:fs';
import { majorOf, minorOf } from '../linux/files.ts';
import { createXattrs } from '../linux/xattr.ts';
import type { ByteString } from './bytes.ts';
import { linkTargetAt, pathAt } from './directory.ts';
import type { ArchiveEntry, EntryKind } from './entry.ts';

const xattrs = createXattrs();

/** An entry as it was found: in an open directory, which stays open while the finder goes on. */
export interface Found {
  directory: number;
  name: ByteString;
  stats: BigIntStats;
}

/** The kind an archive has for it; undefined for a socket, which no archive can hold. */
export function kindOf(stats: BigIntStats): Exclude<EntryKind, 'hardlink'> | undefined {
  if (stats.isFile()) return 'file';
  if (stats.isDirectory()) return 'directory';
  if (stats.isSymbolicLink()) return 'symlink';
  if (stats.isCharacterDevice()) return 'char';
  if (stats.isBlockDevice()) return 'block';
  if (stats.isFIFO()) return 'fifo';
  return undefined;
}

/** What an archive says of it. `path` is its path in the archive. Undefined for a socket. */
export function describe({ directory, name, stats }: Found, path: ByteString): ArchiveEntry | undefined {
  const kind = kindOf(stats);
  if (kind === undefined) return undefined;
  const isDevice = kind === 'char' || kind === 'block';
  const device = Number(stats.rdev);
  return {
    kind,
    path,
    linkTarget: kind === 'symlink' ? linkTargetAt(directory, name) : '',
    mode: Number(stats.mode & 0o7777n),
    uid: Number(stats.uid),
    gid: Number(stats.gid),
    modified: timestamp(stats.mtimeNs),
    size: kind === 'file' ? Number(stats.size) : 0,
    major: isDevice ? majorOf(device) : 0,
    minor: isDevice ? minorOf(device) : 0,
    xattrs: portableXattrs(pathAt(directory, name)),
  };
}

function timestamp(nanoseconds: bigint): { seconds: number; nanoseconds: number } {
  const second = 1_000_000_000n;
  const rest = ((nanoseconds % second) + second) % second;
  return { seconds: Number((nanoseconds - rest) / second), nanoseconds: Number(rest) };
}

/** Attributes that mean the same in every layer; `trusted.*` is overlayfs's own and `security.selinux` the host's. */
export function portableXattrs(path: Buffer): Map<ByteString, Buffer> {
  const portable = new Map<ByteString, Buffer>();
  for (const name of xattrs.list(path)) {
    if (!isPortableXattr(name)) continue;
    const value = xattrs.get(path, name);
    if (value !== undefined) portable.set(name, value);
  }
  return portable;
}

export function isPortableXattr(name: ByteString): boolean {
  return name.startsWith('user.') || name === 'security.capability' || name.startsWith('system.posix_acl_');
}
