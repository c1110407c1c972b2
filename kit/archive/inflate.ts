import { Readable, type Transform } from 'node:stream';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { BadArchive } from './entry.ts';

/** How an archive is stored. */
export type Compression = 'none' | 'gzip' | 'zstd';

// Node's default of 16 KiB halves the speed of its inflater.
const chunkSize = 1024 * 1024;

/** Names an archive's compression by its first bytes (at least 4, unless it is shorter). */
export function detectCompression(start: Uint8Array): Compression {
  const [first, second, third, fourth] = start;
  if (first === 0x1f && second === 0x8b) return 'gzip';
  if (first === 0x28 && second === 0xb5 && third === 0x2f && fourth === 0xfd) return 'zstd';
  if (first === 0x42 && second === 0x5a && third === 0x68) throw new BadArchive('', unsupported('bzip2'));
  if (first === 0xfd && second === 0x37 && third === 0x7a) throw new BadArchive('', unsupported('xz'));
  return 'none';
}

function unsupported(compression: string): string {
  return `the archive is compressed with ${compression}; layers are plain tar, gzip or zstd`;
}

/** The archive's plain bytes, from its stored ones in pieces of any size. */
export async function* inflate(stored: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, undefined> {
  const source = stored[Symbol.asyncIterator]();
  try {
    let start: Buffer = Buffer.alloc(0);
    while (start.length < 4) {
      const next = await source.next();
      if (next.done === true) break;
      start = start.length === 0 ? next.value : Buffer.concat([start, next.value]);
    }
    const whole = resume(start, source);
    const compression = detectCompression(start);
    if (compression === 'none') yield* whole;
    else yield* through(whole, decompressor(compression));
  } finally {
    await source.return?.();
  }
}

function decompressor(compression: 'gzip' | 'zstd'): Transform {
  const options = { chunkSize, highWaterMark: chunkSize };
  return compression === 'gzip' ? createGunzip(options) : createZstdDecompress(options);
}

async function* resume(start: Buffer, rest: AsyncIterator<Buffer>): AsyncGenerator<Buffer, void, undefined> {
  if (start.length > 0) yield start;
  for (let next = await rest.next(); next.done !== true; next = await rest.next()) yield next.value;
}

async function* through(source: AsyncIterable<Buffer>, transform: Transform): AsyncGenerator<Buffer, void, undefined> {
  const input = Readable.from(source, { objectMode: true, highWaterMark: 2 });
  // A failing source ends the output with its own error, one of the inflater with a BadArchive.
  let sourceError: unknown;
  input.on('error', (error) => {
    sourceError = error;
    transform.destroy(error);
  });
  input.pipe(transform);
  try {
    for await (const piece of transform) yield piece;
  } catch (error) {
    if (sourceError !== undefined) throw sourceError;
    throw new BadArchive('', `the compressed data is damaged or cut short (${(error as Error).message})`, {
      cause: error,
    });
  } finally {
    input.destroy();
    transform.destroy();
  }
}
