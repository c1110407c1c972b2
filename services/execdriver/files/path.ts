import { type BigIntStats, fstatSync, readlinkSync } from 'node:fs';
import { basename, dirname, join, normalize } from 'node:path/posix';
import { type ByteString, fromText } from '../../../kit/archive/bytes.ts';
import type { Found } from '../../../kit/archive/describe.ts';
import { statAt } from '../../../kit/archive/directory.ts';
import { closeDescriptor, OpenFlag } from '../../../kit/linux/libc.ts';
import { openInRoot } from '../../../kit/linux/openat2.ts';
import { viewPath } from '../../../kit/linux/private-view.ts';
import { hasCode, SystemError } from '../../../kit/linux/system-error.ts';

/** A path as a user of Docker gives it. */
export interface FilesPath {
  /** Absolute, without `.`, `..` and a slash at its end. */
  path: string;
  /** Its last part: `/` of the root, `.` when it was given so. */
  name: string;
  /** A slash or `/.` follows: a symlink is followed, and what is there must be a directory. */
  isDirectory: boolean;
}

export function filesPath(given: string): FilesPath {
  const path = normalize(`/${given}`).replace(/(?<=.)\/$/, '');
  const endsInDot = /(^|\/)\.$/.test(given);
  return {
    path,
    name: endsInDot ? '.' : basename(path) || '/',
    isDirectory: path === '/' || endsInDot || given.endsWith('/'),
  };
}

/** What is there: in a directory that is open until it is disposed of. Throws the system's ENOENT, ENOTDIR or ELOOP. */
export function findPath(root: number, { path, isDirectory }: FilesPath): Found & Disposable {
  const flags = OpenFlag.RDONLY | OpenFlag.DIRECTORY;
  const directory = openInRoot(root, isDirectory ? path : dirname(path), flags);
  const name: ByteString = isDirectory ? '.' : fromText(basename(path));
  const close = () => closeDescriptor(directory);
  try {
    const stats: BigIntStats | undefined = isDirectory
      ? fstatSync(directory, { bigint: true })
      : statAt(directory, name);
    if (stats === undefined) throw new SystemError('stat', enoent, path);
    return { directory, name, stats, [Symbol.dispose]: close };
  } catch (error) {
    close();
    throw error;
  }
}

const enoent = 2;
/** Further dangling symlinks in a row are not followed; the kernel's own bound. */
const maxLinks = 40;

/** The absolute path in the container that a path leads to when all symlinks are followed, also when nothing is there. */
export function resolved(root: number, path: string, links = 0): string {
  try {
    return pathOf(root, path);
  } catch (error) {
    if (!hasCode(error, 'ENOENT') || path === '/') throw error;
  }
  const directory = resolved(root, dirname(path), links);
  const target = linkTarget(root, directory, basename(path));
  if (target === undefined || links === maxLinks) return join(directory, basename(path));
  return resolved(root, target.startsWith('/') ? normalize(target) : join(directory, target), links + 1);
}

function pathOf(root: number, path: string): string {
  const descriptor = openInRoot(root, path, OpenFlag.PATH);
  try {
    return openedPath(descriptor);
  } finally {
    closeDescriptor(descriptor);
  }
}

/** The path in the container of what is open. */
export function openedPath(descriptor: number): string {
  // The kernel tells it as seen from this thread's root, where the view is.
  return readlinkSync(`/proc/self/fd/${descriptor}`).slice(viewPath.length) || '/';
}

function linkTarget(root: number, directory: string, name: string): string | undefined {
  let parent: number;
  try {
    parent = openInRoot(root, directory, OpenFlag.PATH | OpenFlag.DIRECTORY);
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return undefined;
    throw error;
  }
  try {
    return readlinkSync(`/proc/self/fd/${parent}/${name}`);
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'EINVAL')) return undefined;
    throw error;
  } finally {
    closeDescriptor(parent);
  }
}
