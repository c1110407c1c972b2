import { check, cpath, errno, libc, type PathLike, show } from './libc.ts';
import { SystemError } from './system-error.ts';

/** Extended attributes (xattr(7)) of files, directories and symlinks themselves: no symlink is followed at the end. */
export interface Xattrs {
  /** Undefined when the file has no such attribute. */
  get(path: PathLike, name: string): Buffer | undefined;
  /** Makes or replaces one. */
  set(path: PathLike, name: string, value: Uint8Array | string): void;
  /** Nothing happens when there is none. */
  remove(path: PathLike, name: string): void;
  /** All names that we may see; none where the filesystem has no attributes. */
  list(path: PathLike): string[];
}

const ERANGE = 34;
const ENODATA = 61;
const EOPNOTSUPP = 95;
const FIRST_SIZE = 256;
/** XATTR_SIZE_MAX and XATTR_LIST_MAX of the kernel. */
const LARGEST_SIZE = 65536;

/** Most values are short: one call with a small buffer, a second one only for a long value. */
function read(call: (buffer: Buffer) => number): Buffer | number {
  for (const size of [FIRST_SIZE, LARGEST_SIZE]) {
    const buffer = Buffer.alloc(size);
    const length = call(buffer);
    if (length >= 0) return buffer.subarray(0, length);
    const error = errno();
    if (error !== ERANGE) return error;
  }
  return ERANGE;
}

function get(path: PathLike, name: string): Buffer | undefined {
  const file = cpath(path, 'lgetxattr');
  const value = read((buffer) => Number(libc.lgetxattr(file, name, buffer, BigInt(buffer.length))));
  if (typeof value !== 'number') return value;
  if (value === ENODATA) return undefined;
  throw new SystemError('lgetxattr', value, `${show(path)} ${name}`);
}

function set(path: PathLike, name: string, value: Uint8Array | string): void {
  const bytes = Buffer.from(value);
  const result = libc.lsetxattr(cpath(path, 'lsetxattr'), name, bytes, BigInt(bytes.length), 0);
  check(result, 'lsetxattr', `${show(path)} ${name}`);
}

function remove(path: PathLike, name: string): void {
  if (libc.lremovexattr(cpath(path, 'lremovexattr'), name) === 0) return;
  const error = errno();
  if (error !== ENODATA) throw new SystemError('lremovexattr', error, `${show(path)} ${name}`);
}

function list(path: PathLike): string[] {
  const file = cpath(path, 'llistxattr');
  const names = read((buffer) => Number(libc.llistxattr(file, buffer, BigInt(buffer.length))));
  if (names === EOPNOTSUPP) return [];
  if (typeof names === 'number') throw new SystemError('llistxattr', names, show(path));
  return names.toString().split('\0').slice(0, -1);
}

/** The real attributes. */
export function createXattrs(): Xattrs {
  return { get, set, remove, list };
}
