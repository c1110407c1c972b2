import { closeSync, fstatSync, readSync } from 'node:fs';
import { OpenFlag } from '../linux/libc.ts';
import { openBeneath } from '../linux/openat2.ts';
import { toBytes } from './bytes.ts';
import type { Found } from './describe.ts';
import { ifThere } from './directory.ts';

/** A file that is open for reading, and how long it was then. */
export interface Contents extends Disposable {
  readonly size: number;
  /** Exactly `size` bytes, in pieces of at most `pieceSize`; what a writer has cut off meanwhile is zeros. */
  pieces(pieceSize?: number): Generator<Buffer, void>;
}

/** Opens a found file; undefined when it is not there any more, or no file. */
export function openContents({ directory, name }: Found): Contents | undefined {
  // Opening a fifo would wait for a writer, should one have come in the file's place.
  const flags = OpenFlag.RDONLY | OpenFlag.NOFOLLOW | OpenFlag.NONBLOCK;
  const fd = ifThere(() => openBeneath(directory, toBytes(name), flags));
  if (fd === undefined) return undefined;
  const stats = fstatSync(fd);
  if (!stats.isFile()) {
    closeSync(fd);
    return undefined;
  }
  return {
    size: stats.size,
    *pieces(pieceSize = 1024 * 1024) {
      for (let left = stats.size; left > 0; ) {
        const piece = Buffer.allocUnsafe(Math.min(left, pieceSize));
        const read = readSync(fd, piece, 0, piece.length, null);
        const length = read === 0 ? piece.fill(0).length : read;
        yield piece.subarray(0, length);
        left -= length;
      }
    },
    [Symbol.dispose]() {
      closeSync(fd);
    },
  };
}
