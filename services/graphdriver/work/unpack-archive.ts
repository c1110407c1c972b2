import { createHash } from 'node:crypto';
import { closeSync, fstatSync, read } from 'node:fs';
import { promisify } from 'node:util';
import { toBytes } from '../../../kit/archive/bytes.ts';
import { inflate } from '../../../kit/archive/inflate.ts';
import { createTarReader } from '../../../kit/archive/tar-reader.ts';
import { closeDescriptor, OpenFlag, openDescriptor } from '../../../kit/linux/libc.ts';
import { openBeneath } from '../../../kit/linux/openat2.ts';
import { syncFilesystem } from '../../../kit/linux/sync-filesystem.ts';
import { hasCode } from '../../../kit/linux/system-error.ts';
import { createLayerUnpacker } from '../unpack/unpacker.ts';
import type { UnpackRequest, UnpackResult } from './jobs.ts';
import { type JobContext, NoArchive } from './run-job.ts';

const pieceSize = 1024 * 1024;
const readPiece = promisify(read);

/** Inflates, hashes and unpacks in one go, then writes all of it to the disk. */
export async function unpackArchive(
  { target, archive, limits }: UnpackRequest,
  context: JobContext<'unpack'>,
): Promise<UnpackResult> {
  const stored = archive === 'input' ? inputBytes(context) : fileBytes(archive.dataRoot, archive.path);
  const hash = createHash('sha256');
  using unpacker = createLayerUnpacker(target);
  const reader = createTarReader(unpacker, limits);
  for await (const piece of inflate(stored)) {
    hash.update(piece);
    reader.write(piece);
    await context.breathe();
  }
  reader.end();
  const unpacked = unpacker.finish();
  syncFilesystem(toBytes(target.root));
  return { ...unpacked, diffId: `sha256:${hash.digest('hex')}` };
}

async function* inputBytes(context: JobContext<'unpack'>): AsyncGenerator<Buffer, void, undefined> {
  for await (const piece of context.input()) yield Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength);
}

/** Opens nothing outside the data root, and waits for no fifo. */
function openArchive(dataRoot: string, path: string): number {
  const root = openDescriptor(dataRoot, OpenFlag.PATH | OpenFlag.DIRECTORY);
  try {
    const fd = openBeneath(root, path, OpenFlag.RDONLY | OpenFlag.NONBLOCK);
    if (fstatSync(fd).isFile()) return fd;
    closeSync(fd);
    throw new NoArchive();
  } catch (error) {
    throw hasCode(error, 'ENOENT', 'ENOTDIR', 'ELOOP', 'EXDEV') ? new NoArchive('', { cause: error }) : error;
  } finally {
    closeDescriptor(root);
  }
}

async function* fileBytes(dataRoot: string, path: string): AsyncGenerator<Buffer, void, undefined> {
  const fd = openArchive(dataRoot, path);
  try {
    while (true) {
      const { bytesRead, buffer } = await readPiece(fd, Buffer.allocUnsafe(pieceSize), 0, pieceSize, null);
      if (bytesRead === 0) return;
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    closeSync(fd);
  }
}
