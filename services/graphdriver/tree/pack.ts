import type { ByteString } from '../archive/bytes.ts';
import { endBlocks, padBlock, writeHeader } from '../archive/tar-writer.ts';
import { whiteoutOf } from '../archive/whiteout.ts';
import { contentsOf } from './contents.ts';
import { describe } from './describe.ts';
import { type DifferenceSource, differences } from './difference.ts';

const frameSize = 1024 * 1024;

/**
 * A layer's difference as a tar archive with OCI whiteouts, in frames of at most 1 MiB. Left out: sockets, and files whose
 * names would be read as whiteouts.
 */
export function* packDifference(source: DifferenceSource): Generator<Buffer, void> {
  let pieces: Buffer[] = [];
  let length = 0;
  for (const piece of packed(source)) {
    if (length + piece.length > frameSize) {
      yield Buffer.concat(pieces);
      pieces = [];
      length = 0;
    }
    pieces.push(piece);
    length += piece.length;
  }
  yield Buffer.concat(pieces);
}

function* packed(source: DifferenceSource): Generator<Buffer, void> {
  const linked = new Map<string, ByteString>();
  for (const difference of differences(source)) {
    const slash = difference.path.lastIndexOf('/') + 1;
    const name = difference.path.slice(slash);
    if (difference.kind === 'deleted') {
      yield whiteout(difference.path.slice(0, slash) + whiteoutOf(name));
      continue;
    }
    const { found, path } = difference;
    const entry = name.startsWith('.wh.') ? undefined : describe(found, path);
    if (entry === undefined) continue;
    if (found.stats.nlink > 1n && entry.kind !== 'directory') {
      const inode = `${found.stats.dev}:${found.stats.ino}`;
      const first = linked.get(inode);
      if (first !== undefined) {
        yield writeHeader({ ...entry, kind: 'hardlink', linkTarget: first, size: 0, xattrs: new Map() });
        continue;
      }
      linked.set(inode, path);
    }
    yield writeHeader(entry);
    if (entry.kind !== 'file') continue;
    yield* contentsOf(found, entry.size);
    yield padBlock(entry.size);
  }
  yield endBlocks();
}

function whiteout(path: ByteString): Buffer {
  const none = { linkTarget: '', uid: 0, gid: 0, size: 0, major: 0, minor: 0, xattrs: new Map() };
  return writeHeader({ ...none, kind: 'file', path, mode: 0, modified: { seconds: 0, nanoseconds: 0 } });
}
