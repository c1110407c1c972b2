import { check, closeDescriptor, cpath, errno, OpenFlag, openDescriptor, type PathLike, syscall } from './libc.ts';

/** Resolution flags of openat2(2). */
const RESOLVE_NO_MAGICLINKS = 0x02;
const RESOLVE_NO_SYMLINKS = 0x04;
const RESOLVE_BENEATH = 0x08;
const RESOLVE_IN_ROOT = 0x10;

// struct open_how { u64 flags, mode, resolve }, filled anew for each call on this thread.
const how = Buffer.alloc(24);

const EAGAIN = 11;
const RETRIES = 16;

function openat2(directory: number, path: PathLike, flags: number, mode: number, resolve: number): number {
  how.writeBigUInt64LE(BigInt(flags | OpenFlag.CLOEXEC), 0);
  how.writeBigUInt64LE(BigInt(mode), 8);
  how.writeBigUInt64LE(BigInt(resolve), 16);
  const name = cpath(path, 'openat2');
  let fd = syscall('openat2', directory, name, how, how.length);
  // openat2(2): EAGAIN when a rename or mount elsewhere raced with a `..`; the caller is to try again.
  for (let tries = 0; fd < 0 && errno() === EAGAIN && tries < RETRIES; tries++) {
    fd = syscall('openat2', directory, name, how, how.length);
  }
  return check(fd, 'openat2', path);
}

/**
 * Opens a path as a process chrooted to `root` would: absolute paths, symlinks and `..` stay inside.
 * Root is a path or a directory's descriptor. Returns a descriptor (close-on-exec), which the caller closes.
 */
export function openInRoot(root: number | string, path: PathLike, flags: number, mode = 0): number {
  const directory = typeof root === 'number' ? root : openDescriptor(root, OpenFlag.PATH | OpenFlag.DIRECTORY);
  try {
    return openat2(directory, path, flags, mode, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
  } finally {
    if (directory !== root) closeDescriptor(directory);
  }
}

/** Opens a path below a directory's descriptor that meets no symlink (ELOOP) and doesn't leave (EXDEV). */
export function openBeneath(directory: number, path: PathLike, flags: number, mode = 0): number {
  const resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  return openat2(directory, path, flags, mode, resolve);
}
