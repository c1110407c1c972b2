import { type ByteString, fromBytes } from './bytes.ts';
import { type ArchiveEntry, BadArchive, type EntryKind, type Timestamp } from './entry.ts';
import { blockSize, type HeaderBlock, isZero, readHeader } from './header.ts';
import { type ArchiveLimits, defaultLimits } from './limits.ts';
import { paxInteger, paxTime, readPaxRecords } from './pax.ts';

/** What is done with an archive's members, in the archive's order. */
export interface EntrySink {
  entry(entry: ArchiveEntry): void;
  /** A piece of the present file's content. It is valid during the call only. */
  content(piece: Buffer): void;
  /** The present file is complete. Called for files only, empty ones too. */
  contentEnd(): void;
}

/** Reads a tar archive that is handed to it in pieces of any size. Throws BadArchive. */
export interface TarReader {
  write(piece: Buffer): void;
  /** No more pieces: throws when the archive stops in the middle. */
  end(): void;
}

/**
 * ustar, pax and GNU (long names, numbers in base 256), and the older tars before them. Sparse files and multi-volume
 * archives are refused: no layer has them. As in Go's reader, global pax headers change nothing.
 */
export function createTarReader(sink: EntrySink, limits: ArchiveLimits = defaultLimits): TarReader {
  const parser = new Parser(sink, limits);
  const run = parser.run();
  run.next();
  return {
    write(piece) {
      if (piece.length > 0) run.next(piece);
    },
    end() {
      parser.ended = true;
      run.next(Buffer.alloc(0));
    },
  };
}

/** A generator that yields when it needs another piece. */
type Reading<T> = Generator<void, T, Buffer>;

const kinds: Readonly<Record<string, EntryKind>> = {
  '0': 'file',
  '\u0000': 'file',
  '7': 'file',
  '1': 'hardlink',
  '2': 'symlink',
  '3': 'char',
  '4': 'block',
  '5': 'directory',
  '6': 'fifo',
};

/** What extension headers said about the member that follows them. */
interface Extensions {
  pax: Map<ByteString, ByteString>;
  longName: ByteString | undefined;
  longLink: ByteString | undefined;
}

class Parser {
  ended = false;
  readonly #sink: EntrySink;
  readonly #limits: ArchiveLimits;
  #piece: Buffer = Buffer.alloc(0);
  #offset = 0;
  #position = 0;
  #entries = 0;
  #totalBytes = 0;
  #last: ByteString = '';

  constructor(sink: EntrySink, limits: ArchiveLimits) {
    this.#sink = sink;
    this.#limits = limits;
  }

  *run(): Reading<void> {
    let extensions = noExtensions();
    while (true) {
      const block = yield* this.#take(blockSize, true);
      // Go, and so every engine, takes an archive without the closing zero blocks for complete.
      if (block === undefined) break;
      if (isZero(block)) {
        yield* this.#drain();
        break;
      }
      const header = readHeader(block, this.#position - blockSize);
      this.#last = header.name;
      if (!(yield* this.#extension(header, extensions))) {
        yield* this.#member(header, extensions);
        extensions = noExtensions();
      }
    }
    if (extensions.pax.size > 0 || extensions.longName !== undefined || extensions.longLink !== undefined) {
      throw new BadArchive(this.#last, 'the archive ends after an extension header');
    }
  }

  /** Reads an extension header into `extensions`; false when the header is a member's own. */
  *#extension(header: HeaderBlock, extensions: Extensions): Reading<boolean> {
    switch (header.typeflag) {
      case 'x':
        for (const [key, value] of readPaxRecords(yield* this.#headerBody(header), header.name)) {
          extensions.pax.set(key, value);
        }
        return true;
      case 'g':
        yield* this.#headerBody(header);
        return true;
      case 'L':
        extensions.longName = untilNul(yield* this.#headerBody(header));
        return true;
      case 'K':
        extensions.longLink = untilNul(yield* this.#headerBody(header));
        return true;
      default:
        return false;
    }
  }

  *#headerBody(header: HeaderBlock): Reading<Buffer> {
    if (header.size < 0 || header.size > this.#limits.headerBytes) {
      throw new BadArchive(header.name, `an extension header is longer than ${this.#limits.headerBytes} bytes`);
    }
    const body = Buffer.from((yield* this.#take(header.size)) ?? Buffer.alloc(0));
    yield* this.#take(padding(header.size));
    return body;
  }

  *#member(header: HeaderBlock, extensions: Extensions): Reading<void> {
    const entry = this.#describe(header, extensions);
    this.#last = entry.path;
    this.#entries += 1;
    if (this.#entries > this.#limits.entries) {
      throw new BadArchive(entry.path, `the archive has more than ${this.#limits.entries} entries`);
    }
    this.#totalBytes += entry.size;
    if (entry.size < 0) throw new BadArchive(entry.path, 'its size is negative');
    if (entry.size > this.#limits.fileBytes) {
      throw new BadArchive(entry.path, `it is larger than ${this.#limits.fileBytes} bytes`);
    }
    if (this.#totalBytes > this.#limits.totalBytes) {
      throw new BadArchive(entry.path, `the archive's files are larger than ${this.#limits.totalBytes} bytes together`);
    }
    this.#sink.entry(entry);
    if (entry.kind !== 'file') return;
    let left = entry.size;
    while (left > 0) {
      const piece = yield* this.#some(left);
      left -= piece.length;
      this.#sink.content(piece);
    }
    this.#sink.contentEnd();
    yield* this.#take(padding(entry.size));
  }

  #describe(header: HeaderBlock, { pax, longName, longLink }: Extensions): ArchiveEntry {
    const path = pax.get('path') ?? longName ?? header.name;
    const kind = header.typeflag === '\u0000' && path.endsWith('/') ? 'directory' : kinds[header.typeflag];
    if (kind === undefined) {
      throw new BadArchive(path, `entries of type ${JSON.stringify(header.typeflag)} are not supported`);
    }
    for (const key of pax.keys()) {
      if (key.startsWith('GNU.sparse.')) throw new BadArchive(path, 'sparse files are not supported');
    }
    const linkTarget = pax.get('linkpath') ?? longLink ?? header.linkname;
    for (const text of [path, linkTarget]) {
      if (text.includes('\u0000')) throw new BadArchive(path, 'a path contains a NUL');
      if (text.length > this.#limits.pathBytes) {
        throw new BadArchive(path.slice(0, 256), `a path is longer than ${this.#limits.pathBytes} bytes`);
      }
    }
    const integer = (key: string, otherwise: number): number => {
      const value = pax.get(key);
      return value === undefined || value === '' ? otherwise : paxInteger(value, key, path);
    };
    const mtime = pax.get('mtime');
    const modified: Timestamp =
      mtime === undefined || mtime === '' ? { seconds: header.mtime, nanoseconds: 0 } : paxTime(mtime, path);
    // Content after a link or a device is a mistake some writers make in the size alone; there are no bytes (as in Go).
    const size = kind === 'file' ? integer('size', header.size) : 0;
    return {
      kind,
      path,
      linkTarget: kind === 'symlink' || kind === 'hardlink' ? linkTarget : '',
      mode: header.mode & 0o7777,
      uid: integer('uid', header.uid),
      gid: integer('gid', header.gid),
      modified,
      size,
      major: header.major,
      minor: header.minor,
      xattrs: this.#xattrs(pax, path),
    };
  }

  #xattrs(pax: Map<ByteString, ByteString>, path: ByteString): Map<ByteString, Buffer> {
    const xattrs = new Map<ByteString, Buffer>();
    for (const [key, value] of pax) {
      if (key.startsWith('SCHILY.xattr.')) xattrs.set(key.slice('SCHILY.xattr.'.length), Buffer.from(value, 'latin1'));
    }
    if (xattrs.size > this.#limits.xattrs) {
      throw new BadArchive(path, `it has more than ${this.#limits.xattrs} extended attributes`);
    }
    return xattrs;
  }

  /** Exactly so many bytes; undefined at the archive's end, where that is allowed. The buffer is valid until the next read. */
  *#take(length: number, mayEnd = false): Reading<Buffer | undefined> {
    if (this.#piece.length - this.#offset >= length) {
      const bytes = this.#piece.subarray(this.#offset, this.#offset + length);
      this.#offset += length;
      this.#position += length;
      return bytes;
    }
    const bytes = Buffer.alloc(length);
    let filled = 0;
    while (filled < length) {
      if (this.#offset === this.#piece.length) {
        if (mayEnd && filled === 0 && this.ended) return undefined;
        yield* this.#next(mayEnd && filled === 0);
        continue;
      }
      const copied = this.#piece.copy(bytes, filled, this.#offset, this.#offset + length - filled);
      filled += copied;
      this.#offset += copied;
      this.#position += copied;
    }
    return bytes;
  }

  /** At least one byte, at most so many. */
  *#some(length: number): Reading<Buffer> {
    if (this.#offset === this.#piece.length) yield* this.#next(false);
    const bytes = this.#piece.subarray(this.#offset, this.#offset + length);
    this.#offset += bytes.length;
    this.#position += bytes.length;
    return bytes;
  }

  *#next(mayEnd: boolean): Reading<void> {
    this.#piece = yield;
    this.#offset = 0;
    if (this.ended && !mayEnd) throw new BadArchive(this.#last, 'the archive ends in the middle');
  }

  /** What comes after the closing block is not the archive's; tars fill up to a record with zeros. */
  *#drain(): Reading<void> {
    while (!this.ended) yield;
  }
}

function noExtensions(): Extensions {
  return { pax: new Map(), longName: undefined, longLink: undefined };
}

function untilNul(body: Buffer): ByteString {
  const nul = body.indexOf(0);
  return fromBytes(nul === -1 ? body : body.subarray(0, nul));
}

function padding(size: number): number {
  return (blockSize - (size % blockSize)) % blockSize;
}
