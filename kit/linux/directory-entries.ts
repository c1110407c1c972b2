import { check, cpath, libc, type PathLike, show } from './libc.ts';
import { SystemError } from './system-error.ts';

const EINVAL = 22;
const AT_SYMLINK_NOFOLLOW = 0x100;
const AT_REMOVEDIR = 0x200;
const UTIME_OMIT = 0x3ffffffen; // <linux/stat.h>
const SLASH = 0x2f;

/**
 * Entries of one directory, given by its descriptor (see openBeneath). `name` is a single path component, text or bytes,
 * and is never followed if it is a symlink, so what an archive names cannot leave the directory.
 * Permission bits of new entries pass through the process's umask; chmodAt sets them exactly.
 */
function entry(name: PathLike, syscall: string): string | Buffer {
  const text = typeof name === 'string' ? name : show(name);
  const hasSlash = typeof name === 'string' ? name.includes('/') : name.includes(SLASH);
  if (text === '' || text === '.' || text === '..' || hasSlash) {
    throw new SystemError(syscall, EINVAL, text, 'not the name of a directory entry');
  }
  return cpath(name, syscall);
}

export function mkdirAt(directory: number, name: PathLike, mode: number): void {
  check(libc.mkdirat(directory, entry(name, 'mkdirat'), mode), 'mkdirat', name);
}

/** `mode` carries the type (S_IFCHR, S_IFBLK, S_IFIFO, S_IFSOCK, S_IFREG); `device` is makeDevice's. */
export function mknodAt(directory: number, name: PathLike, mode: number, device = 0): void {
  check(libc.mknodat(directory, entry(name, 'mknodat'), mode, BigInt(device)), 'mknodat', name);
}

/** The target is stored as it is, and never looked at. */
export function symlinkAt(target: PathLike, directory: number, name: PathLike): void {
  const linked = libc.symlinkat(cpath(target, 'symlinkat'), directory, entry(name, 'symlinkat'));
  check(linked, 'symlinkat', name);
}

/** Gives an entry (a symlink itself, not what it points to) a second name. */
export function linkAt(fromDirectory: number, from: PathLike, directory: number, name: PathLike): void {
  const linked = libc.linkat(fromDirectory, entry(from, 'linkat'), directory, entry(name, 'linkat'), 0);
  check(linked, 'linkat', name);
}

export function unlinkAt(directory: number, name: PathLike): void {
  check(libc.unlinkat(directory, entry(name, 'unlinkat'), 0), 'unlinkat', name);
}

/** Removes an empty directory. */
export function rmdirAt(directory: number, name: PathLike): void {
  check(libc.unlinkat(directory, entry(name, 'rmdirat'), AT_REMOVEDIR), 'rmdirat', name);
}

export function chownAt(directory: number, name: PathLike, uid: number, gid: number): void {
  const changed = libc.fchownat(directory, entry(name, 'fchownat'), uid, gid, AT_SYMLINK_NOFOLLOW);
  check(changed, 'fchownat', name);
}

/** Refuses a symlink (EOPNOTSUPP): it has no permissions of its own. */
export function chmodAt(directory: number, name: PathLike, mode: number): void {
  const changed = libc.fchmodat(directory, entry(name, 'fchmodat'), mode & 0o7777, AT_SYMLINK_NOFOLLOW);
  check(changed, 'fchmodat', name);
}

// struct timespec[2], filled anew for each call on this thread.
const times = Buffer.alloc(32);

function writeTime(offset: number, nanoseconds: bigint | undefined): void {
  const rest =
    nanoseconds === undefined ? UTIME_OMIT : ((nanoseconds % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n;
  const seconds = nanoseconds === undefined ? 0n : (nanoseconds - rest) / 1_000_000_000n;
  times.writeBigInt64LE(seconds, offset);
  times.writeBigInt64LE(rest, offset + 8);
}

/** Times are nanoseconds since 1970, before it if negative; undefined leaves one as it is. */
export function utimesAt(
  directory: number,
  name: PathLike,
  accessed: bigint | undefined,
  modified: bigint | undefined,
): void {
  writeTime(0, accessed);
  writeTime(16, modified);
  check(libc.utimensat(directory, entry(name, 'utimensat'), times, AT_SYMLINK_NOFOLLOW), 'utimensat', name);
}
