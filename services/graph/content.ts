import { createHash, randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, readdir, rename, rm, stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { createKeyedQueue } from '../../kit/queue.ts';
import { type Digest, digestOf, hexOf, isDigest } from './digest.ts';
import { errors } from './errors.ts';
import type { Lease } from './leases.ts';

/** Bytes that have been taken in. They may be used when `stored` has settled: then they are durable. */
export interface Ingested {
  digest: Digest;
  size: number;
  stored: Promise<void>;
}

/**
 * Blobs by digest, each a file `graph/blobs/sha256/<hex>` under the data root. A blob's file is whole from the moment it
 * has its name, and its bytes hash to it.
 */
export interface ContentStore {
  /** Writes bytes and hashes them on the way. The lease holds the blob before it has its name. */
  ingest(source: AsyncIterable<Uint8Array>, lease: Lease): Promise<Ingested>;
  /** Relative to the data root, as graphdriver is told it. */
  path(digest: Digest): string;
  /** The whole blob; at most `limit` bytes. */
  read(digest: Digest, limit: number): Promise<Buffer | undefined>;
  /** The first bytes, 512 of them if there are so many. */
  head(digest: Digest): Promise<Buffer>;
  stream(digest: Digest): AsyncIterable<Uint8Array>;
  remove(digest: Digest): Promise<void>;
  list(): Promise<Digest[]>;
}

const mebibyte = 1024 * 1024;
/** An archive of many small files shall not open them all at once. */
const settledAtOnce = 4;
/** What an archive must leave free on the disk: the records of all services are on it. */
const reserve = 64 * mebibyte;
/** How often that is looked at, in bytes written. */
const lookEvery = 16 * mebibyte;

/** Opens the store; what was being written when its last owner died is thrown away. */
export async function openContentStore(dataRoot: string): Promise<ContentStore> {
  const folder = join('graph', 'blobs', 'sha256');
  const blobs = join(dataRoot, folder);
  const unfinished = join(dataRoot, 'graph', 'ingest');
  await rm(unfinished, { recursive: true, force: true });
  await mkdir(blobs, { recursive: true, mode: 0o700 });
  await mkdir(unfinished, { mode: 0o700 });
  const settling = createKeyedQueue();
  let ingested = 0;
  const fileOf = (digest: Digest) => join(blobs, hexOf(digest));

  return {
    async ingest(source, lease) {
      const file = join(unfinished, randomBytes(16).toString('hex'));
      try {
        const { digest, size } = await write(file, source, () => checkSpace(dataRoot));
        await lease.hold(digest);
        const stored = settling
          .run(String(ingested++ % settledAtOnce), () => keep(file, fileOf(digest), size, blobs))
          .catch(async (error: unknown) => {
            await rm(file, { force: true });
            throw explained(error, dataRoot);
          });
        lease.attend(stored);
        return { digest, size, stored };
      } catch (error) {
        await rm(file, { force: true });
        throw explained(error, dataRoot);
      }
    },
    path: (digest) => join(folder, hexOf(digest)),
    async read(digest, limit) {
      const size = (await stat(fileOf(digest)).catch(missing(digest))).size;
      if (size > limit) return undefined;
      const chunks: Uint8Array[] = [];
      for await (const chunk of createReadStream(fileOf(digest))) chunks.push(chunk);
      const bytes = Buffer.concat(chunks);
      if (digestOf(bytes) !== digest) throw errors.contentMissing({ digest });
      return bytes;
    },
    async head(digest) {
      await using handle = await open(fileOf(digest), 'r').catch(missing(digest));
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(512), 0, 512, 0);
      return buffer.subarray(0, bytesRead);
    },
    stream: (digest) => createReadStream(fileOf(digest), { highWaterMark: mebibyte }),
    remove: (digest) => rm(fileOf(digest), { force: true }),
    async list() {
      return (await readdir(blobs)).map((name) => `sha256:${name}`).filter(isDigest);
    },
  };
}

async function write(
  file: string,
  source: AsyncIterable<Uint8Array>,
  look: () => Promise<void>,
): Promise<{ digest: Digest; size: number }> {
  const hash = createHash('sha256');
  let size = 0;
  let lookedAt = 0;
  await using handle = await open(file, 'wx', 0o600);
  for await (const chunk of source) {
    hash.update(chunk);
    size += chunk.length;
    if (size - lookedAt >= lookEvery) {
      await look();
      lookedAt = size;
    }
    for (let written = 0; written < chunk.length; ) {
      written += (await handle.write(chunk, written)).bytesWritten;
    }
  }
  return { digest: `sha256:${hash.digest('hex')}`, size };
}

/** Contents before the name, and the name before anyone is told: a crash leaves a whole blob or none. */
async function keep(file: string, blob: string, size: number, folder: string): Promise<void> {
  const there = await stat(blob).catch(() => undefined);
  if (there?.size === size) {
    await rm(file);
    await sync(blob);
  } else {
    await sync(file);
    await rename(file, blob);
  }
  await sync(folder);
}

async function checkSpace(path: string): Promise<void> {
  const { bavail, bsize } = await statfs(path);
  if (bavail * bsize < reserve) throw errors.noSpace({ path });
}

async function sync(path: string): Promise<void> {
  await using handle = await open(path, 'r');
  await handle.sync();
}

function missing(digest: Digest): (cause: unknown) => never {
  return (cause) => {
    throw errors.contentMissing({ digest }, { cause });
  };
}

function explained(error: unknown, path: string): unknown {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'ENOSPC' || code === 'EDQUOT' ? errors.noSpace({ path }, { cause: error }) : error;
}
