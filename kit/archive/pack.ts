import type { ByteString } from './bytes.ts';
import { openContents } from './contents.ts';
import { describe, type Found } from './describe.ts';
import { ifThere } from './directory.ts';
import type { ArchiveEntry } from './entry.ts';
import { padBlock, writeHeader } from './tar-writer.ts';

/** Says what an archive has of what was found; undefined for what it cannot have: a socket, or what has gone meanwhile. */
export type Describer = (found: Found, path: ByteString) => ArchiveEntry | undefined;

/** For one archive: a file's second name is a hard link to its first. */
export function createDescriber(): Describer {
  const firstNames = new Map<string, ByteString>();
  return (found, path) => {
    const entry = ifThere(() => describe(found, path));
    if (entry === undefined || found.stats.nlink < 2n || entry.kind === 'directory') return entry;
    const inode = `${found.stats.dev}:${found.stats.ino}`;
    const firstName = firstNames.get(inode);
    if (firstName === undefined) {
      firstNames.set(inode, path);
      return entry;
    }
    return { ...entry, kind: 'hardlink', linkTarget: firstName, size: 0, xattrs: new Map() };
  };
}

/** One member with its content, in pieces. Nothing, when it was a file and is none any more. */
export function* packMember(entry: ArchiveEntry, found: Found, pieceSize: number): Generator<Buffer, void> {
  if (entry.kind !== 'file') {
    yield writeHeader(entry);
    return;
  }
  using contents = openContents(found);
  if (contents === undefined) return;
  const { size } = contents;
  yield writeHeader({ ...entry, size });
  yield* contents.pieces(pieceSize);
  yield padBlock(size);
}

/** Joins pieces to frames of at most this size; no piece may be larger. */
export function* inFrames(pieces: Iterable<Buffer>, frameSize: number): Generator<Buffer<ArrayBuffer>, void> {
  let waiting: Buffer[] = [];
  let length = 0;
  for (const piece of pieces) {
    if (length + piece.length > frameSize) {
      yield Buffer.concat(waiting);
      waiting = [];
      length = 0;
    }
    waiting.push(piece);
    length += piece.length;
  }
  yield Buffer.concat(waiting);
}
