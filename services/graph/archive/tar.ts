import { badArchive } from '../errors.ts';
import { readerOf } from './byte-reader.ts';
import { blockSize, parseHeader, parsePax, type TarHeader } from './tar-header.ts';

/** An entry of an outer archive: an image archive holds a handful of files, and links among them. */
export type TarEntry =
  | { type: 'file'; name: string; size: number; body: AsyncIterable<Uint8Array> }
  | { type: 'link'; name: string; target: string; isSymbolic: boolean };

/** More entries than any image archive has: three for each layer, of dozens of images. */
const mostEntries = 20_000;
/** A long name or a pax header. */
const longestMetadata = 1024 * 1024;
const longestName = 1024;
/** What may follow the end of an archive: writers fill up to the size of a record. */
const longestTail = 16 * 1024 * 1024;

/**
 * Reads a tar archive (ustar, pax, GNU). A file's body is read before the next entry is asked for; what was left of it is
 * skipped. Other kinds of entries are passed over. Throws BAD_ARCHIVE.
 */
export async function* readTar(source: AsyncIterable<Uint8Array>, part: string): AsyncGenerator<TarEntry, void> {
  const reader = readerOf(source);
  let overrides = new Map<string, string>();

  const header = async (): Promise<TarHeader | undefined> => {
    const block = await reader.read(blockSize);
    // Some writers leave the end mark out.
    if (block.length === 0) return undefined;
    if (block.length < blockSize) throw badArchive(part, 'is cut off');
    return parseHeader(block, part);
  };
  const padding = async (size: number) => {
    await reader.read((blockSize - (size % blockSize)) % blockSize);
  };
  const metadata = async (size: number) => {
    if (size > longestMetadata) throw badArchive(part, 'has a header of more than 1 MiB');
    const bytes = await reader.read(size);
    if (bytes.length < size) throw badArchive(part, 'is cut off in a header');
    await padding(size);
    return bytes;
  };

  try {
    let entries = 0;
    for (let head = await header(); head !== undefined; head = await header()) {
      if (++entries > mostEntries) throw badArchive(part, `has more than ${mostEntries} entries`);
      switch (head.type) {
        case 'L':
          overrides.set('path', untilNul(await metadata(head.size)));
          continue;
        case 'K':
          overrides.set('linkpath', untilNul(await metadata(head.size)));
          continue;
        case 'x':
          for (const [key, value] of parsePax(await metadata(head.size), part)) overrides.set(key, value);
          continue;
        case 'g':
          await metadata(head.size);
          continue;
      }
      const name = overrides.get('path') ?? head.name;
      const size = sizeOf(overrides.get('size'), head.size, part);
      const target = overrides.get('linkpath') ?? head.linkName;
      overrides = new Map();
      if (name.length > longestName) throw badArchive(part, `has a name of more than ${longestName} characters`);

      if (head.type === '1' || head.type === '2') {
        yield { type: 'link', name, target, isSymbolic: head.type === '2' };
      } else if (head.type === '0' || head.type === '\0' || head.type === '7') {
        const body = bodyOf(reader.take(size), size, name);
        if (!name.endsWith('/')) yield { type: 'file', name, size, body };
        for await (const _ of body) {
          // Skips what nobody has read.
        }
        await padding(size);
      } else if (head.type === 'S') {
        throw badArchive(name, 'is a sparse file; write the archive without --sparse');
      } else {
        await skip(reader.take(size), size, name);
        await padding(size);
      }
    }
    for await (const _ of reader.take(longestTail)) {
      // A writer that is not heard to the end fails.
    }
  } finally {
    await reader.close();
  }
}

/** May be iterated again after it has ended, or gone on with after a reader stopped: the source is one and the same. */
function bodyOf(source: AsyncGenerator<Uint8Array, void>, size: number, name: string): AsyncIterable<Uint8Array> {
  let read = 0;
  return {
    [Symbol.asyncIterator]: () => ({
      async next() {
        const next = await source.next();
        if (next.done !== true) {
          read += next.value.length;
          return next;
        }
        if (read < size) throw badArchive(name, 'is cut off');
        return { done: true, value: undefined };
      },
    }),
  };
}

async function skip(source: AsyncIterable<Uint8Array>, size: number, name: string): Promise<void> {
  let read = 0;
  for await (const piece of source) read += piece.length;
  if (read < size) throw badArchive(name, 'is cut off');
}

function sizeOf(pax: string | undefined, size: number, part: string): number {
  if (pax === undefined) return size;
  const value = Number(pax);
  if (!/^[0-9]+$/.test(pax) || !Number.isSafeInteger(value)) {
    throw badArchive(part, 'has an entry without a valid size');
  }
  return value;
}

function untilNul(bytes: Buffer): string {
  const end = bytes.indexOf(0);
  return bytes.toString('utf8', 0, end < 0 ? bytes.length : end);
}
