import { pipeline } from 'node:stream/promises';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { badArchive } from '../errors.ts';

/** Large pieces: zlib in Node spends more on handing over small ones than on inflating them. */
const pieces = { chunkSize: 1024 * 1024, highWaterMark: 1024 * 1024 };

const formats = [
  { name: 'gzip', magic: Buffer.from([0x1f, 0x8b]) },
  { name: 'zstd', magic: Buffer.from([0x28, 0xb5, 0x2f, 0xfd]) },
  { name: 'bzip2', magic: Buffer.from('BZh') },
  { name: 'xz', magic: Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]) },
] as const;

type Compression = (typeof formats)[number]['name'] | 'plain';

/** The uncompressed bytes of what may be plain, gzip or zstd; told apart by its first bytes. BAD_ARCHIVE names `part`. */
export async function* inflate(source: AsyncIterable<Uint8Array>, part: string): AsyncGenerator<Uint8Array, void> {
  const { compression, bytes } = await recognise(source);
  if (compression === 'plain') {
    yield* bytes;
    return;
  }
  const inflater = inflaterFor(compression, part);
  const fed = pipeline(bytes, inflater);
  // The same failure arrives through the inflater, where it is read.
  fed.catch(() => undefined);
  try {
    for await (const chunk of inflater) yield chunk as Uint8Array;
  } catch (error) {
    throw isDamage(error) ? badArchive(part, `is damaged ${compression} data`, error) : error;
  } finally {
    inflater.destroy();
  }
}

function inflaterFor(compression: Compression, part: string) {
  switch (compression) {
    case 'gzip':
      return createGunzip(pieces);
    case 'zstd':
      return createZstdDecompress(pieces);
    default:
      throw badArchive(part, `is compressed with ${compression}; plain tar, gzip and zstd are understood`);
  }
}

async function recognise(
  source: AsyncIterable<Uint8Array>,
): Promise<{ compression: Compression; bytes: AsyncGenerator<Uint8Array, void> }> {
  const iterator = source[Symbol.asyncIterator]();
  let head = Buffer.alloc(0);
  while (head.length < 6) {
    const next = await iterator.next();
    if (next.done === true) break;
    head = Buffer.concat([head, next.value]);
  }
  const start = head;
  const found = formats.find(({ magic }) => start.subarray(0, magic.length).equals(magic));
  return { compression: found?.name ?? 'plain', bytes: resumed(start, iterator) };
}

async function* resumed(head: Buffer, rest: AsyncIterator<Uint8Array>): AsyncGenerator<Uint8Array, void> {
  try {
    if (head.length > 0) yield head;
    for (let next = await rest.next(); next.done !== true; next = await rest.next()) yield next.value;
  } finally {
    await rest.return?.();
  }
}

function isDamage(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code ?? '';
  return code.startsWith('Z_') || code.startsWith('ZSTD_') || code === 'ERR_ZLIB_INITIALIZATION_FAILED';
}
