import { type BigIntStats, readdirSync } from 'node:fs';
import { type ByteString, toBytes } from '../../../kit/archive/bytes.ts';
import { statAtPath } from '../../../kit/archive/directory.ts';
import { isOpaque, isOverlayWhiteout } from './overlay-marks.ts';

/**
 * A directory as overlayfs merges it out of the layers that have it, without a mount. For sealed layers only: they don't
 * change, so paths may be used.
 */
export interface MergedDirectory {
  /** What the name shows; undefined when it is nowhere or hidden. */
  find(name: ByteString): BigIntStats | undefined;
  names(): Set<ByteString>;
  /** The merged subdirectory; an empty one when the name is no directory. */
  child(name: ByteString): MergedDirectory;
  /** Where the directory is in the topmost layer that has it; undefined when none has. */
  readonly top: ByteString | undefined;
}

/** `places` are the layers' roots, from the top down. */
export function mergedDirectory(places: readonly ByteString[]): MergedDirectory {
  return {
    top: places[0],
    find(name) {
      for (const place of places) {
        const stats = statAtPath(toBytes(`${place}/${name}`));
        if (stats !== undefined) return isOverlayWhiteout(stats) ? undefined : stats;
      }
      return undefined;
    },
    names() {
      const shown = new Set<ByteString>();
      const hidden = new Set<ByteString>();
      for (const place of places) {
        for (const entry of readdirSync(toBytes(place), { encoding: 'latin1', withFileTypes: true })) {
          if (shown.has(entry.name) || hidden.has(entry.name)) continue;
          const stats = entry.isCharacterDevice() ? statAtPath(toBytes(`${place}/${entry.name}`)) : undefined;
          (stats !== undefined && isOverlayWhiteout(stats) ? hidden : shown).add(entry.name);
        }
      }
      return shown;
    },
    child(name) {
      const found: ByteString[] = [];
      for (const place of places) {
        const path = `${place}/${name}`;
        const stats = statAtPath(toBytes(path));
        if (stats === undefined) continue;
        if (!stats.isDirectory()) break;
        found.push(path);
        if (isOpaque(toBytes(path))) break;
      }
      return mergedDirectory(found);
    },
  };
}
