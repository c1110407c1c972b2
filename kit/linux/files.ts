import { closeSync, fstatSync, fsyncSync, openSync, readSync, statfsSync } from 'node:fs';
import { OpenFlag } from './libc.ts';
import { openInRoot } from './openat2.ts';
import { hasCode, SystemError } from './system-error.ts';

/** `f_type` of statfs(2) for the filesystems that matter to an engine. */
export const FilesystemType = {
  BTRFS: 0x9123683e,
  CGROUP2: 0x63677270,
  EXT: 0xef53,
  NFS: 0x6969,
  NSFS: 0x6e736673,
  OVERLAY: 0x794c7630,
  TMPFS: 0x01021994,
  XFS: 0x58465342,
  ZFS: 0x2fc12fc1,
} as const;

/** The type of the filesystem that a path is on, to compare with FilesystemType. */
export function filesystemType(path: string): number {
  return statfsSync(path).type;
}

/** Makes the names in a directory durable: after a rename, the rename. */
export function syncDirectory(path: string): void {
  const fd = openSync(path, OpenFlag.RDONLY | OpenFlag.DIRECTORY);
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

const EINVAL = 22;
const EFBIG = 27;

/**
 * Reads a regular file of a tree that isn't trusted, such as a container's `/etc/passwd`: symlinks stay inside the root,
 * fifos and devices are refused (EINVAL) and so is more than `maxBytes` (EFBIG). Undefined when there is no such file.
 */
export function readInRoot(root: string, path: string, maxBytes: number): Buffer | undefined {
  let fd: number;
  try {
    fd = openInRoot(root, path, OpenFlag.RDONLY | OpenFlag.NONBLOCK | OpenFlag.NOCTTY);
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return undefined;
    throw error;
  }
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile()) throw new SystemError('read', EINVAL, path, 'not a regular file');
    // What is read is small as a rule; a file that grows meanwhile is read as it was.
    const buffer = Buffer.allocUnsafe(Math.min(stat.size, maxBytes) + 1);
    let length = 0;
    for (let read = -1; read !== 0 && length < buffer.length; length += read) {
      read = readSync(fd, buffer, length, buffer.length - length, null);
    }
    if (length > maxBytes) throw new SystemError('read', EFBIG, path, `more than ${maxBytes} bytes`);
    return buffer.subarray(0, Math.min(length, stat.size));
  } finally {
    closeSync(fd);
  }
}

/** A device number as stat(2) and mknod(2) have it: 12 bits of major, 20 of minor (the kernel's new_encode_dev). */
export function makeDevice(major: number, minor: number): number {
  return ((minor & 0xff) | ((major & 0xfff) << 8) | ((minor & 0xfff00) << 12)) >>> 0;
}

export function majorOf(device: number): number {
  return (device >>> 8) & 0xfff;
}

export function minorOf(device: number): number {
  return (device & 0xff) | ((device >>> 12) & 0xfff00);
}
