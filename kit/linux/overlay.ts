import { readSync } from 'node:fs';
import { check, closeDescriptor, cpath, errno, libc, OpenFlag, openDescriptor, syscall } from './libc.ts';
import { SystemError } from './system-error.ts';

/** An overlay mount. Lower directories are listed from the top down. */
export type Overlay = {
  /** At least one; at least two when there is no upper directory (the kernel refuses a read-only overlay of one). */
  readonly lower: readonly string[];
  /** Takes the changes. Without it the overlay is read-only. */
  readonly upper?: string;
  /** An empty directory on the filesystem of `upper`; goes with it. */
  readonly work?: string;
  readonly target: string;
  /** Options of overlayfs: `{ metacopy: 'on', volatile: true }`. */
  readonly options?: Readonly<Record<string, string | true>>;
};

const FSCONFIG_SET_FLAG = 0;
const FSCONFIG_SET_STRING = 1;
const FSCONFIG_CMD_CREATE = 6;
const AT_FDCWD = -100;
const MOVE_MOUNT_F_EMPTY_PATH = 4;
const CLOEXEC = 1; // of fsopen(2) and fsmount(2)
const EINVAL = 22;
const E2BIG = 7;

/** Opens directories so that they have a short name that needs no escaping, and closes them all. */
class ShortNames {
  readonly #descriptors: number[] = [];

  of(path: string): string {
    const fd = openDescriptor(path, OpenFlag.PATH | OpenFlag.DIRECTORY);
    this.#descriptors.push(fd);
    return `/proc/self/fd/${fd}`;
  }

  [Symbol.dispose](): void {
    for (const fd of this.#descriptors) closeDescriptor(fd);
  }
}

/** The kernel's own words about a refused mount wait in the context's descriptor, one `e text` line a read. */
function complaint(context: number): string {
  const lines: string[] = [];
  const buffer = Buffer.alloc(4096);
  try {
    for (;;) lines.push(buffer.toString('utf8', 0, readSync(context, buffer)).trim());
  } catch {
    // ENODATA: no more lines
  }
  return lines
    .filter((line) => line.startsWith('e '))
    .map((line) => line.slice(2))
    .join('; ');
}

function configure(context: number, target: string, command: number, key: string | null, value: string | null): void {
  const name = key === null ? null : cpath(key, 'overlay');
  const text = value === null ? null : cpath(value, 'overlay');
  if (syscall('fsconfig', context, command, name, text, 0) === 0) return;
  const error = errno();
  throw new SystemError('mount overlay', error, target, complaint(context));
}

/** fsconfig(2) takes strings below 256 bytes; overlayfs reads a backslash as an escape. */
function isPlain(path: string): boolean {
  return Buffer.byteLength(path) < 256 && !path.includes('\\');
}

/** One `lowerdir+` for each lower directory (Linux 6.7), so that no length limit is met. */
function mountByContext(overlay: Overlay): void {
  const { target } = overlay;
  const context = check(syscall('fsopen', 'overlay', CLOEXEC), 'fsopen', 'overlay');
  using names = new ShortNames();
  const name = (path: string): string => (isPlain(path) ? path : names.of(path));
  const set = (key: string, value: string): void => configure(context, target, FSCONFIG_SET_STRING, key, value);
  try {
    set('source', 'overlay');
    for (const lower of overlay.lower) set('lowerdir+', name(lower));
    if (overlay.upper !== undefined) set('upperdir', name(overlay.upper));
    if (overlay.work !== undefined) set('workdir', name(overlay.work));
    for (const [key, value] of Object.entries(overlay.options ?? {})) {
      if (value === true) configure(context, target, FSCONFIG_SET_FLAG, key, null);
      else set(key, value);
    }
    configure(context, target, FSCONFIG_CMD_CREATE, null, null);
    const mount = check(syscall('fsmount', context, CLOEXEC, 0), 'fsmount', target);
    try {
      const moved = syscall('move_mount', mount, '', AT_FDCWD, cpath(target, 'mount overlay'), MOVE_MOUNT_F_EMPTY_PATH);
      check(moved, 'mount overlay', target);
    } finally {
      closeDescriptor(mount);
    }
  } finally {
    closeDescriptor(context);
  }
}

/**
 * mount(2) for kernels before 6.7: its data must fit one page, so every directory goes by a descriptor's name.
 * Room for about 200 lower directories, well above the 128 layers an image may have.
 */
export function mountOverlayByData(overlay: Overlay): void {
  const { target } = overlay;
  using names = new ShortNames();
  const options = [`lowerdir=${overlay.lower.map((path) => names.of(path)).join(':')}`];
  if (overlay.upper !== undefined) options.push(`upperdir=${names.of(overlay.upper)}`);
  if (overlay.work !== undefined) options.push(`workdir=${names.of(overlay.work)}`);
  for (const [key, value] of Object.entries(overlay.options ?? {})) {
    options.push(value === true ? key : `${key}=${value.replaceAll(/[\\,]/g, '\\$&')}`);
  }
  const data = options.join(',');
  if (data.length > 4095) {
    throw new SystemError(
      'mount overlay',
      E2BIG,
      target,
      `${overlay.lower.length} lower directories are too many here`,
    );
  }
  check(libc.mount('overlay', cpath(target, 'mount overlay'), 'overlay', 0n, data), 'mount overlay', target);
}

let appendsLowers: boolean | undefined;

/**
 * Whether `lowerdir+` is a key that overlayfs knows, by which keys it takes: an unknown one is EINVAL at once, before any
 * directory is looked up. Before Linux 6.5 overlayfs read no keys by itself: those contexts take any, and refuse the mount.
 */
export function takesLowersOneByOne(takesKey: (key: string) => boolean): boolean {
  return takesKey('lowerdir+') && !takesKey('longshore');
}

/** Asks the kernel once. Without, mount(2) says only by a number why it refuses an overlay. */
export function kernelAppendsLowers(): boolean {
  if (appendsLowers !== undefined) return appendsLowers;
  const context = syscall('fsopen', 'overlay', CLOEXEC);
  if (context < 0) return false; // perhaps not allowed here; mount(2) will tell why
  const takesKey = (key: string) =>
    syscall('fsconfig', context, FSCONFIG_SET_STRING, key, '/', 0) === 0 || errno() !== EINVAL;
  appendsLowers = takesLowersOneByOne(takesKey);
  closeDescriptor(context);
  return appendsLowers;
}

/** Mounts an overlay at its target. */
export function mountOverlay(overlay: Overlay): void {
  if (kernelAppendsLowers()) mountByContext(overlay);
  else mountOverlayByData(overlay);
}
