import { type ByteString, toBytes } from '../../../kit/archive/bytes.ts';
import type { Directories } from '../../../kit/archive/directories.ts';
import { inChild, namesIn, pathAt, statAt } from '../../../kit/archive/directory.ts';
import { mknodAt, rmdirAt, unlinkAt } from '../../../kit/linux/directory-entries.ts';
import { hasCode } from '../../../kit/linux/system-error.ts';
import { isOverlayWhiteout, makeOpaque } from '../tree/overlay-marks.ts';

/**
 * What a layer's whiteouts do to the tree that it is unpacked into. They are about the layers below only: what the same
 * archive brings stays, whichever comes first (OCI image specification, "Whiteouts").
 */
export interface Whiteouts {
  /** An entry of this archive is now here. */
  made(directory: number, name: ByteString): void;
  /** `.wh.NAME` */
  hide(directory: number, name: ByteString): void;
  /** `.wh..wh..opq` */
  hideAll(directory: number): void;
}

const characterDevice = 0o020000;

/** For layers that overlayfs merges: deletions are kept as its marks. */
export function overlayWhiteouts(): Whiteouts {
  return {
    made() {},
    hide(directory, name) {
      try {
        mknodAt(directory, toBytes(name), characterDevice);
      } catch (error) {
        if (!hasCode(error, 'EEXIST')) throw error;
        if (statAt(directory, name)?.isDirectory()) inChild(directory, name, (child) => makeOpaque(pathAt(child, '.')));
      }
    },
    hideAll(directory) {
      makeOpaque(pathAt(directory, '.'));
    },
  };
}

/** For layers that begin as a copy of their parent: what is deleted goes. */
export function inPlaceWhiteouts(directories: Directories): Whiteouts {
  const ours = new Set<string>();
  const key = (directory: number, name: ByteString) => `${directories.identity(directory)}/${name}`;

  function removeOthers(directory: number): void {
    for (const name of namesIn(directory)) remove(directory, name);
  }

  function remove(directory: number, name: ByteString): void {
    const isOurs = ours.has(key(directory, name));
    if (!statAt(directory, name)?.isDirectory()) {
      if (!isOurs) unlinkAt(directory, toBytes(name));
      return;
    }
    inChild(directory, name, removeOthers);
    if (isOurs) return;
    try {
      rmdirAt(directory, toBytes(name));
    } catch (error) {
      // Something of ours is in it.
      if (!hasCode(error, 'ENOTEMPTY')) throw error;
    }
  }

  return {
    made(directory, name) {
      ours.add(key(directory, name));
    },
    hide(directory, name) {
      if (statAt(directory, name) === undefined) return;
      remove(directory, name);
      directories.changed();
    },
    hideAll(directory) {
      removeOthers(directory);
      directories.changed();
    },
  };
}

/** Whether a name is a mark of overlayfs, and so nothing that an archive may build on. */
export function isHidden(directory: number, name: ByteString): boolean {
  const stats = statAt(directory, name);
  return stats !== undefined && isOverlayWhiteout(stats);
}
