import { getSystemErrorMessage, getSystemErrorName } from 'node:util';

/** Errors of filesystems that libuv has no name for (asm-generic/errno.h). */
const unknownToNode = new Map([
  [76, ['ENOTUNIQ', 'name not unique on network'] as const],
  [116, ['ESTALE', 'stale file handle'] as const],
  [117, ['EUCLEAN', 'the filesystem needs repair'] as const],
  [122, ['EDQUOT', 'disk quota exceeded'] as const],
]);

function nameAndWords(errno: number): readonly [string, string] {
  const known = unknownToNode.get(errno);
  if (known) return known;
  const name = getSystemErrorName(-errno) ?? '';
  return /^E[A-Z0-9]+$/.test(name)
    ? [name, getSystemErrorMessage(-errno) ?? name]
    : [`E${errno}`, `refused by the kernel with error ${errno}`];
}

/**
 * A call the kernel refused. Reads like `mount /x: resource busy or locked (EBUSY)`.
 * `errno` is positive, as in errno(3); `code` is its name; `detail` is what the kernel added in words, if anything.
 */
export class SystemError extends Error {
  readonly syscall: string;
  readonly errno: number;
  readonly code: string;
  declare readonly path?: string;
  declare readonly detail?: string;

  constructor(syscall: string, errno: number, path?: string, detail?: string) {
    const [code, words] = nameAndWords(errno);
    const subject = path === undefined ? syscall : `${syscall} ${path}`;
    super(`${subject}: ${detail ? `${detail}: ` : ''}${words} (${code})`);
    this.name = 'SystemError';
    this.syscall = syscall;
    this.errno = errno;
    this.code = code;
    if (path !== undefined) this.path = path;
    if (detail) this.detail = detail;
  }
}

/** True for an error of ours or of Node's own calls with one of these codes (`'ENOENT'` …). */
export function hasCode(error: unknown, ...codes: readonly string[]): boolean {
  if (!(error instanceof Error) || !('code' in error)) return false;
  return typeof error.code === 'string' && codes.includes(error.code);
}
