import { gunzipSync, zstdDecompressSync } from 'node:zlib';

export interface TarEntry {
  /** Without `./` before and `/` after it. */
  name: string;
  type: string;
  body: Buffer;
}

/** What is wrong with an archive, and where. */
export class ArchiveProblem extends Error {
  readonly entry: string;

  constructor(entry: string, problem: string) {
    super(problem);
    this.entry = entry;
  }
}

const block = 512;

/** Plain, gzip or zstd, told by the first bytes (RFC 1952 §2.3.1, RFC 8878 §3.1.1). */
export function inflated(archive: Buffer): Buffer {
  try {
    if (archive.length >= 2 && archive.readUInt16BE(0) === 0x1f8b) return gunzipSync(archive);
    if (archive.length >= 4 && archive.readUInt32BE(0) === 0x28b52ffd) return zstdDecompressSync(archive);
  } catch (cause) {
    throw new ArchiveProblem('archive', `cannot be decompressed: ${cause instanceof Error ? cause.message : cause}`);
  }
  return archive;
}

/** The entries of an uncompressed archive; names that leave the root are refused. */
export function entriesOf(tar: Buffer): TarEntry[] {
  const entries: TarEntry[] = [];
  let longName: string | undefined;
  if (tar.length === 0) throw new ArchiveProblem('archive', 'is empty');
  for (let at = 0; at < tar.length; ) {
    const header = tar.subarray(at, at + block);
    if (header.every((byte) => byte === 0)) break;
    const { name: shortName, size, type } = headerAt(header, longName ?? `entry ${entries.length + 1}`);
    at += block;
    const body = tar.subarray(at, at + size);
    if (body.length < size) throw new ArchiveProblem(shortName, 'is cut short');
    at += Math.ceil(size / block) * block;
    if (type === 'L') {
      longName = text(body);
    } else if (type === 'x') {
      longName = paxPath(body) ?? longName;
    } else if (type !== 'g' && type !== 'K') {
      const name = cleaned(longName ?? shortName);
      if (name !== '') entries.push({ name, type: type === '\0' ? '0' : type, body });
      longName = undefined;
    }
  }
  return entries;
}

function headerAt(header: Buffer, where: string): { name: string; size: number; type: string } {
  if (header.length < block) throw new ArchiveProblem(where, 'is cut short');
  const sum = header.reduce((total, byte, at) => total + (at >= 148 && at < 156 ? 32 : byte), 0);
  if (Number.parseInt(text(header.subarray(148, 156)), 8) !== sum)
    throw new ArchiveProblem(where, 'is not a tar entry');
  const prefix = text(header.subarray(257, 262)) === 'ustar' ? text(header.subarray(345, 500)) : '';
  const name = text(header.subarray(0, 100));
  return {
    name: prefix === '' ? name : `${prefix}/${name}`,
    size: Number.parseInt(text(header.subarray(124, 136)).trim() || '0', 8),
    type: String.fromCharCode(header[156] ?? 0),
  };
}

function text(bytes: Buffer): string {
  const end = bytes.indexOf(0);
  return bytes.toString('utf8', 0, end < 0 ? bytes.length : end);
}

function paxPath(body: Buffer): string | undefined {
  return /\d+ path=(.*)\n/.exec(body.toString('utf8'))?.[1];
}

function cleaned(name: string): string {
  const parts = name.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.includes('..')) throw new ArchiveProblem(name, 'leads out of the archive');
  return parts.join('/');
}
