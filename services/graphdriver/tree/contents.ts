import { closeSync, fstatSync, readSync } from 'node:fs';
import { OpenFlag } from '../../../kit/linux/libc.ts';
import { openBeneath } from '../../../kit/linux/openat2.ts';
import { toBytes } from '../archive/bytes.ts';
import type { Found } from './describe.ts';

const pieceSize = 1024 * 1024;

/**
 * A file's content in pieces of at most 1 MiB: exactly `size` bytes, whatever its writers do meanwhile (what is missing is
 * zeros, so that an archive that has announced the size stays one).
 */
export function* contentsOf({ directory, name }: Found, size: number): Generator<Buffer, void> {
  // Opening a fifo would wait for a writer, should one have come in the file's place.
  const fd = openBeneath(directory, toBytes(name), OpenFlag.RDONLY | OpenFlag.NOFOLLOW | OpenFlag.NONBLOCK);
  try {
    let left = size;
    const isFile = fstatSync(fd).isFile();
    while (left > 0) {
      const piece = Buffer.allocUnsafe(Math.min(left, pieceSize));
      const length = isFile ? readSync(fd, piece, 0, piece.length, null) : 0;
      if (length === 0) {
        yield piece.fill(0);
        left -= piece.length;
        continue;
      }
      yield piece.subarray(0, length);
      left -= length;
    }
  } finally {
    closeSync(fd);
  }
}
