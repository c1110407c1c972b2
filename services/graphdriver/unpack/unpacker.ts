import type { ByteString } from '../../../kit/archive/bytes.ts';
import { inChild, pathAt } from '../../../kit/archive/directory.ts';
import type { EntrySink } from '../../../kit/archive/tar-reader.ts';
import { createUnpacker } from '../../../kit/archive/unpacker.ts';
import { readWhiteout } from '../archive/whiteout.ts';
import { makeOpaque } from '../tree/overlay-marks.ts';
import { openLayerDirectories } from './directories.ts';
import { inPlaceWhiteouts, isHidden, overlayWhiteouts } from './whiteouts.ts';

export interface UnpackTarget {
  /** The directory that takes the layer. */
  root: ByteString;
  /** Whether deletions are kept as overlayfs's marks or carried out on a copy of the parent. */
  whiteouts: 'overlay' | 'in place';
  /** With `overlay`: the layers below, from the top down. */
  lowers: ByteString[];
}

export interface Unpacked {
  /** Bytes of file content. */
  size: number;
  /** The archive says that nothing of the layers below shows. */
  isRootOpaque: boolean;
}

/** Makes a layer of an archive's members, all of them below the target's root. */
export interface LayerUnpacker extends EntrySink, Disposable {
  finish(): Unpacked;
}

export function createLayerUnpacker(target: UnpackTarget): LayerUnpacker {
  const directories = openLayerDirectories(target.root, target.lowers);
  const isOverlay = target.whiteouts === 'overlay';
  const whiteouts = isOverlay ? overlayWhiteouts() : inPlaceWhiteouts(directories);
  let isRootOpaque = false;
  const unpacker = createUnpacker({
    directories,
    changesRoot: true,
    takes(directory, name, entry) {
      const whiteout = readWhiteout(name, entry.path);
      if (whiteout?.kind === 'gone') whiteouts.hide(directory, whiteout.name);
      if (whiteout?.kind === 'opaque') {
        whiteouts.hideAll(directory);
        if (directories.identity(directory) === directories.identity(directories.root)) isRootOpaque = true;
      }
      return whiteout !== undefined;
    },
    made: (directory, name) => whiteouts.made(directory, name),
    isHidden: (directory, name) => isOverlay && isHidden(directory, name),
    // The archive hid the directory of the layers below first; its new one must not show their files.
    uncovered: (directory, name) => inChild(directory, name, (child) => makeOpaque(pathAt(child, '.'))),
  });
  return {
    entry: (entry) => unpacker.entry(entry),
    content: (piece) => unpacker.content(piece),
    contentEnd: () => unpacker.contentEnd(),
    finish: () => ({ size: unpacker.finish(), isRootOpaque }),
    [Symbol.dispose]: () => unpacker[Symbol.dispose](),
  };
}
