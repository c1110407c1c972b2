import { closeDescriptor, OpenFlag, openDescriptor } from '../../kit/linux/libc.ts';
import { openInRoot } from '../../kit/linux/openat2.ts';
import { hasCode } from '../../kit/linux/system-error.ts';
import { copyOwnAttributes, copyTree } from './copy-tree.ts';
import { holdsLittle } from './tree-size.ts';

/** An empty volume and what the image has at its place. */
export interface Filling {
  /** The container's root, and the path in it, which may lead through symlinks but never out. */
  root: string;
  place: string;
  /** Where the files are to go: it is made by the caller. */
  target: string;
}

/** Fills the target. False: the image has no directory at that place. */
export function fill({ root, place, target }: Filling): boolean {
  const source = openPlace(root, place);
  if (source === undefined) return false;
  try {
    const destination = openDescriptor(target, OpenFlag.RDONLY | OpenFlag.DIRECTORY);
    try {
      copyTree(source, destination);
      copyOwnAttributes(source, destination);
    } finally {
      closeDescriptor(destination);
    }
  } finally {
    closeDescriptor(source);
  }
  return true;
}

/** True when there is so little to copy that no thread need be started for it. */
export function isQuick({ root, place }: Filling): boolean {
  const source = openPlace(root, place);
  if (source === undefined) return true;
  try {
    return holdsLittle(source);
  } finally {
    closeDescriptor(source);
  }
}

function openPlace(root: string, place: string): number | undefined {
  try {
    return openInRoot(root, place, OpenFlag.RDONLY | OpenFlag.DIRECTORY);
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR', 'ELOOP')) return undefined;
    throw error;
  }
}
