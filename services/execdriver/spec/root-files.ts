import { closeSync } from 'node:fs';
import { dirname } from 'node:path/posix';
import { messageOf } from '../../../kit/errors.ts';
import { mkdirAt } from '../../../kit/linux/directory-entries.ts';
import { readInRoot } from '../../../kit/linux/files.ts';
import { OpenFlag } from '../../../kit/linux/libc.ts';
import { openInRoot } from '../../../kit/linux/openat2.ts';
import { hasCode } from '../../../kit/linux/system-error.ts';
import { errors } from '../errors.ts';
import type { UserFiles } from './users.ts';

/** A larger passwd file than any distribution's; read whole. */
const largest = 4 * 1024 * 1024;

/** The container's own accounts. What its image made of these files is not trusted. */
export function readUserFiles(root: string): UserFiles {
  const read = (path: string) => {
    try {
      return readInRoot(root, path, largest)?.toString();
    } catch (cause) {
      throw errors.badSpec(
        { field: 'root_path', detail: `cannot read ${path} of the image: ${messageOf(cause)}` },
        { cause },
      );
    }
  };
  return { passwd: read('/etc/passwd'), group: read('/etc/group') };
}

/** Makes a container's working directory, as root's, when its image lacks it. */
export function ensureWorkingDirectory(root: string, path: string): void {
  try {
    closeSync(openDirectory(root, path));
  } catch (cause) {
    if (hasCode(cause, 'ENOTDIR')) {
      const detail = `Cannot mkdir: ${path} is not a directory`;
      throw errors.badSpec({ field: 'working_dir', detail }, { cause });
    }
    const detail = `cannot make the working directory ${path}: ${messageOf(cause)}`;
    throw errors.badSpec({ field: 'working_dir', detail }, { cause });
  }
}

function openDirectory(root: string, path: string): number {
  try {
    return openInRoot(root, path, OpenFlag.PATH | OpenFlag.DIRECTORY);
  } catch (error) {
    const parent = dirname(path);
    if (!hasCode(error, 'ENOENT') || parent === path) throw error;
    const name = path.slice(path.lastIndexOf('/') + 1);
    const descriptor = openDirectory(root, parent);
    try {
      if (name !== '') mkdirAt(descriptor, name, 0o755);
    } catch (failure) {
      if (!hasCode(failure, 'EEXIST')) throw failure;
    } finally {
      closeSync(descriptor);
    }
    return openInRoot(root, path, OpenFlag.PATH | OpenFlag.DIRECTORY);
  }
}
