import { existsSync, rmSync, unlinkSync } from 'node:fs';
import { hasCode } from '../../kit/linux/system-error.ts';

const attempts = 20;

/**
 * Removes a directory that somebody else may be taking files out of at the same time, as a monitor that ends does. Node's rmSync
 * stops halfway when a file is gone before it gets there, and with `force` does not say so.
 */
export function removeTree(path: string): void {
  for (let attempt = 1; attempt <= attempts && existsSync(path); attempt++) {
    rmSync(path, { recursive: true, force: true });
  }
}

/** Removes a file that may be gone already. */
export function removeFile(path: string): void {
  if (!existsSync(path)) return;
  try {
    unlinkSync(path);
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
  }
}
