import { constants } from 'node:fs';
import { ffi } from './ffi.ts';
import { SystemError } from './system-error.ts';

const int = 'int32';
const uint = 'uint32';
const size = 'uint64';
const long = 'int64';
/** A JavaScript string (NUL is refused), NUL-terminated bytes, an address, or null. */
const ptr = 'pointer';

/** The C library, loaded once a thread. Calls run to their end on the calling thread; 64-bit values are bigint. */
export const { functions: libc } = ffi.dlopen('libc.so.6', {
  __errno_location: { arguments: [], return: ptr },
  syscall: { arguments: [long, ptr, ptr, ptr, ptr, ptr, ptr], return: long },

  open: { arguments: [ptr, int, int], return: int },
  close: { arguments: [int], return: int },
  fcntl: { arguments: [int, int, int], return: int },
  pipe2: { arguments: [ptr, int], return: int },

  memfd_create: { arguments: [ptr, uint], return: int },

  mount: { arguments: [ptr, ptr, ptr, size, ptr], return: int },
  umount2: { arguments: [ptr, int], return: int },
  setns: { arguments: [int, int], return: int },
  unshare: { arguments: [int], return: int },

  malloc_trim: { arguments: [size], return: int },

  mkdirat: { arguments: [int, ptr, uint], return: int },
  mknodat: { arguments: [int, ptr, uint, size], return: int },
  symlinkat: { arguments: [ptr, int, ptr], return: int },
  linkat: { arguments: [int, ptr, int, ptr, int], return: int },
  unlinkat: { arguments: [int, ptr, int], return: int },
  fchownat: { arguments: [int, ptr, uint, uint, int], return: int },
  fchmodat: { arguments: [int, ptr, uint, int], return: int },
  utimensat: { arguments: [int, ptr, ptr, int], return: int },

  lgetxattr: { arguments: [ptr, ptr, ptr, size], return: long },
  lsetxattr: { arguments: [ptr, ptr, ptr, size, int], return: int },
  lremovexattr: { arguments: [ptr, ptr], return: int },
  llistxattr: { arguments: [ptr, ptr, size], return: long },

  socket: { arguments: [int, int, int], return: int },
  connect: { arguments: [int, ptr, uint], return: int },
  send: { arguments: [int, ptr, size, int], return: long },
  recv: { arguments: [int, ptr, size, int], return: long },
  getsockopt: { arguments: [int, int, int, ptr, ptr], return: int },
  setsockopt: { arguments: [int, int, int, ptr, uint], return: int },
  if_nametoindex: { arguments: [ptr], return: uint },
  if_indextoname: { arguments: [uint, ptr], return: ptr },
  inet_pton: { arguments: [int, ptr, ptr], return: int },
  inet_ntop: { arguments: [int, ptr, ptr, uint], return: ptr },

  posix_spawn: { arguments: [ptr, ptr, ptr, ptr, ptr, ptr], return: int },
  posix_spawn_file_actions_init: { arguments: [ptr], return: int },
  posix_spawn_file_actions_destroy: { arguments: [ptr], return: int },
  posix_spawn_file_actions_adddup2: { arguments: [ptr, int, int], return: int },
  posix_spawn_file_actions_addchdir_np: { arguments: [ptr, ptr], return: int },
  posix_spawn_file_actions_addclosefrom_np: {
    arguments: [ptr, int],
    return: int,
  },
  posix_spawnattr_init: { arguments: [ptr], return: int },
  posix_spawnattr_setflags: { arguments: [ptr, 'int16'], return: int },
  posix_spawnattr_setsigdefault: { arguments: [ptr, ptr], return: int },
  posix_spawnattr_setsigmask: { arguments: [ptr, ptr], return: int },
  sigfillset: { arguments: [ptr], return: int },
  sigemptyset: { arguments: [ptr], return: int },
  waitpid: { arguments: [int, ptr, int], return: int },
  getrlimit: { arguments: [int, ptr], return: int },
});

// Thread-local: constant for the thread that loaded this module, another one in each worker.
const errnoLocation = libc.__errno_location();

/** errno of the last failed call on this thread. To be read right after it. */
export function errno(): number {
  return ffi.getInt32(errnoLocation, 0);
}

/** Bytes are for names that aren't UTF-8; they carry no NUL. */
export type PathLike = string | Uint8Array;

/** What a path looks like in a message. */
export function show(path: PathLike): string {
  return typeof path === 'string' ? path : Buffer.from(path).toString();
}

/** A path as a `const char *`. Node refuses a string with NUL in it; bytes with NUL are refused here. */
export function cpath(path: PathLike, syscall: string): string | Buffer {
  const bad = typeof path === 'string' ? path.includes('\0') : path.includes(0);
  if (bad) throw new SystemError(syscall, 22, show(path).replaceAll('\0', '\\0'), 'a path has no NUL in it');
  return typeof path === 'string' ? path : Buffer.concat([path, Buffer.of(0)]);
}

/** Passes a result on, or throws the SystemError of a call that answered -1. */
export function check(result: number, syscall: string, path?: PathLike): number {
  if (result >= 0) return result;
  throw new SystemError(syscall, errno(), path === undefined ? undefined : show(path));
}

/** Closes a descriptor. The descriptor is gone also when close(2) reports an error, so none is thrown. */
export function closeDescriptor(fd: number): void {
  libc.close(fd);
}

/** open(2) with O_CLOEXEC. Returns the descriptor. */
export function openDescriptor(path: PathLike, flags: number, mode = 0): number {
  return check(libc.open(cpath(path, 'open'), flags | OpenFlag.CLOEXEC, mode), 'open', path);
}

/** Flags of open(2); those that differ between architectures come from Node. */
export const OpenFlag = {
  RDONLY: constants.O_RDONLY,
  WRONLY: constants.O_WRONLY,
  RDWR: constants.O_RDWR,
  CREAT: constants.O_CREAT,
  EXCL: constants.O_EXCL,
  TRUNC: constants.O_TRUNC,
  NOCTTY: constants.O_NOCTTY,
  NONBLOCK: constants.O_NONBLOCK,
  DIRECTORY: constants.O_DIRECTORY,
  NOFOLLOW: constants.O_NOFOLLOW,
  CLOEXEC: 0o2000000,
  PATH: 0o10000000,
} as const;

/** Numbers of calls the C library has no function for; the same on every architecture (since Linux 5.1's common table). */
export const Syscall = {
  pidfd_send_signal: 424,
  open_tree: 428,
  move_mount: 429,
  fsopen: 430,
  fsconfig: 431,
  fsmount: 432,
  pidfd_open: 434,
  openat2: 437,
  mount_setattr: 442,
} as const;

export type SyscallName = keyof typeof Syscall;

/** An argument of a raw call: a number, a string, bytes to read or fill, or null. */
export type SyscallArgument = number | string | Uint8Array | null;

/** Strings and bytes go as they are, so that they stay alive during the call. */
function word(argument: SyscallArgument | undefined): bigint | string | Uint8Array | null {
  return typeof argument === 'number' ? BigInt.asUintN(64, BigInt(argument)) : (argument ?? null);
}

/** syscall(2). Returns -1 with errno() set on failure. */
export function syscall(name: SyscallName, ...a: readonly SyscallArgument[]): number {
  const [b, c, d, e, f, g] = a;
  return Number(libc.syscall(BigInt(Syscall[name]), word(b), word(c), word(d), word(e), word(f), word(g)));
}
