import type { BigIntStats } from 'node:fs';
import { createXattrs } from '../../../kit/linux/xattr.ts';

/** How overlayfs keeps deletions in a layer's directory (Documentation/filesystems/overlayfs.rst, "whiteouts and opaque directories"). */

const xattrs = createXattrs();
const opaqueXattr = 'trusted.overlay.opaque';

const typeMask = 0o170000n;
const characterDevice = 0o020000n;

/** A character device 0/0 hides the name in the layers below. */
export function isOverlayWhiteout(stats: BigIntStats): boolean {
  return (stats.mode & typeMask) === characterDevice && stats.rdev === 0n;
}

/** An opaque directory shows nothing of the layers below. `path` ends in `/.` when it goes through a descriptor. */
export function isOpaque(path: Buffer): boolean {
  return xattrs.get(path, opaqueXattr)?.toString() === 'y';
}

export function makeOpaque(path: Buffer): void {
  xattrs.set(path, opaqueXattr, 'y');
}
