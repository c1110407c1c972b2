import { constants } from 'node:os';
import { getSystemErrorMessage, getSystemErrorName } from 'node:util';

/** libuv names most errors; the few it doesn't know (ENOTUNIQ, EUCLEAN …) are named by the C library's constants. */
function nameOf(errno: number): string {
  const name = getSystemErrorName(-errno);
  if (name && /^E[A-Z0-9]+$/.test(name)) return name;
  const known = Object.entries(constants.errno).find(([, value]) => value === errno);
  return known ? known[0] : `E${errno}`;
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
    const code = nameOf(errno);
    const subject = path === undefined ? syscall : `${syscall} ${path}`;
    const words = getSystemErrorMessage(-errno) ?? 'refused by the kernel';
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
