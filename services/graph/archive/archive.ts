import { posix } from 'node:path';
import type * as z from 'zod/mini';
import type { ContentStore, Ingested } from '../content.ts';
import { badArchive } from '../errors.ts';
import { longestDocument, parseDocument } from '../json.ts';
import type { Lease } from '../leases.ts';
import { counted, type Progress, reporting } from '../progress.ts';
import { inflate } from './inflate.ts';
import { readTar } from './tar.ts';

/** An image archive whose files are in the content store. Names are keys and nothing else: no path is made of them. */
export interface Archive {
  has(name: string): boolean;
  /** The blob behind a name, through the links inside the archive. BAD_ARCHIVE when there is none. */
  blob(name: string): Promise<Ingested>;
  /** The bytes of a document. BAD_ARCHIVE when it is too long. */
  bytes(name: string): Promise<Buffer>;
  document<T extends z.ZodMiniType>(name: string, shape: T): Promise<z.infer<T>>;
}

/** Files smaller than this come too fast to be worth a word. */
const worthReporting = 1024 * 1024;
const mostLinks = 16;

/** Takes an archive (plain, gzip or zstd) into the content store, each file hashed while it is written; `came` hears of each. */
export async function* spool(
  source: AsyncIterable<Uint8Array>,
  content: ContentStore,
  lease: Lease,
  came: (file: Ingested) => void,
): AsyncGenerator<Progress, Archive> {
  const files = new Map<string, Ingested>();
  const links = new Map<string, string>();
  for await (const entry of readTar(inflate(source, 'the archive'), 'the archive')) {
    const name = posix.normalize(entry.name);
    if (entry.type === 'link') {
      const target = entry.isSymbolic ? posix.join(posix.dirname(name), entry.target) : posix.normalize(entry.target);
      links.set(name, target);
      files.delete(name);
      continue;
    }
    let received = 0;
    const work = content.ingest(
      counted(entry.body, (bytes) => {
        received += bytes;
      }),
      lease,
    );
    const report = (): Progress => ({
      kind: 'progress',
      layer: shortName(name),
      status: 'Loading layer',
      current: received,
      total: entry.size,
    });
    const file = entry.size < worthReporting ? await work : yield* reporting(work, report);
    came(file);
    files.set(name, file);
    links.delete(name);
  }
  return archiveOf(files, links, content);
}

function archiveOf(
  files: ReadonlyMap<string, Ingested>,
  links: ReadonlyMap<string, string>,
  content: ContentStore,
): Archive {
  const find = (name: string): Ingested | undefined => {
    let at = posix.normalize(name);
    for (let followed = 0; followed <= mostLinks; followed++) {
      const file = files.get(at);
      if (file !== undefined) return file;
      const target = links.get(at);
      if (target === undefined) return undefined;
      at = target;
    }
    return undefined;
  };
  const archive: Archive = {
    has: (name) => find(name) !== undefined,
    async blob(name) {
      const file = find(name);
      if (file === undefined) throw badArchive(name, 'is named in the archive but not in it');
      await file.stored;
      return file;
    },
    async bytes(name) {
      const { digest } = await archive.blob(name);
      const bytes = await content.read(digest, longestDocument);
      if (bytes === undefined) throw badArchive(name, `is longer than ${longestDocument} bytes`);
      return bytes;
    },
    document: async (name, shape) => parseDocument(await archive.bytes(name), name, shape),
  };
  return archive;
}

/** `<hex>/layer.tar` and `blobs/sha256/<hex>` by their digits, as the layer will be called; else the file's name. */
function shortName(name: string): string {
  return /[0-9a-f]{64}/.exec(name)?.[0].slice(0, 12) ?? posix.basename(name);
}
