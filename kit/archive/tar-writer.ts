import { type ByteString, toBytes } from './bytes.ts';
import type { ArchiveEntry, EntryKind } from './entry.ts';
import { blockSize } from './header.ts';
import { formatPaxTime, paxRecord } from './pax.ts';

const typeflags: Readonly<Record<EntryKind, string>> = {
  file: '0',
  hardlink: '1',
  symlink: '2',
  char: '3',
  block: '4',
  directory: '5',
  fifo: '6',
};

const maxOctal7 = 0o7777777;
const maxOctal11 = 0o77777777777;

/**
 * The header blocks of one member, ready to be followed by its content and `padBlock`. ustar where its fields suffice, else
 * with a pax header before it. The same entry always gives the same bytes.
 */
export function writeHeader(entry: ArchiveEntry): Buffer {
  const records: [ByteString, ByteString][] = [];
  const path = entry.kind === 'directory' && !entry.path.endsWith('/') ? `${entry.path}/` : entry.path;
  if (!fits(path, 100)) records.push(['path', path]);
  if (!fits(entry.linkTarget, 100)) records.push(['linkpath', entry.linkTarget]);
  if (entry.size > maxOctal11) records.push(['size', String(entry.size)]);
  if (entry.uid > maxOctal7) records.push(['uid', String(entry.uid)]);
  if (entry.gid > maxOctal7) records.push(['gid', String(entry.gid)]);
  const { seconds, nanoseconds } = entry.modified;
  const isPlainTime = nanoseconds === 0 && seconds >= 0 && seconds <= maxOctal11;
  if (!isPlainTime) records.push(['mtime', formatPaxTime(entry.modified)]);
  const xattrs = [...entry.xattrs].sort(([left], [right]) => (left < right ? -1 : 1));
  for (const [name, value] of xattrs) records.push([`SCHILY.xattr.${name}`, value.toString('latin1')]);

  const header = ustarBlock({
    name: path.slice(0, 100),
    mode: entry.mode,
    uid: Math.min(entry.uid, maxOctal7),
    gid: Math.min(entry.gid, maxOctal7),
    size: Math.min(entry.size, maxOctal11),
    mtime: Math.min(Math.max(seconds, 0), maxOctal11),
    typeflag: typeflags[entry.kind],
    linkname: entry.linkTarget.slice(0, 100),
    major: entry.major,
    minor: entry.minor,
  });
  if (records.length === 0) return header;
  const body = Buffer.from(records.map(([key, value]) => paxRecord(key, value)).join(''), 'latin1');
  const paxHeader = ustarBlock({
    name: `PaxHeaders.0/${(path.split('/').at(-1) || 'entry').slice(0, 80)}`,
    mode: 0o644,
    uid: 0,
    gid: 0,
    size: body.length,
    mtime: 0,
    typeflag: 'x',
    linkname: '',
    major: 0,
    minor: 0,
  });
  return Buffer.concat([paxHeader, body, padBlock(body.length), header]);
}

/** The zeros after `size` bytes of content. */
export function padBlock(size: number): Buffer {
  return Buffer.alloc((blockSize - (size % blockSize)) % blockSize);
}

/** What ends an archive. */
export function endBlocks(): Buffer {
  return Buffer.alloc(2 * blockSize);
}

function fits(text: ByteString, length: number): boolean {
  // Readers disagree on the encoding of ustar names that aren't ASCII; pax says UTF-8, or takes bytes as they are.
  return text.length <= length && !/[^ -~]/.test(text);
}

interface Fields {
  name: ByteString;
  mode: number;
  uid: number;
  gid: number;
  size: number;
  mtime: number;
  typeflag: string;
  linkname: ByteString;
  major: number;
  minor: number;
}

function ustarBlock(fields: Fields): Buffer {
  const block = Buffer.alloc(blockSize);
  const octal = (value: number, offset: number, length: number) =>
    block.write(value.toString(8).padStart(length - 1, '0'), offset, length - 1, 'latin1');
  toBytes(fields.name).copy(block, 0);
  octal(fields.mode, 100, 8);
  octal(fields.uid, 108, 8);
  octal(fields.gid, 116, 8);
  octal(fields.size, 124, 12);
  octal(fields.mtime, 136, 12);
  block.write('        ', 148, 'latin1');
  block.write(fields.typeflag, 156, 'latin1');
  toBytes(fields.linkname).copy(block, 157);
  block.write('ustar\u000000', 257, 'latin1');
  octal(fields.major, 329, 8);
  octal(fields.minor, 337, 8);
  let sum = 0;
  for (const byte of block) sum += byte;
  block.write(`${sum.toString(8).padStart(6, '0')}\u0000 `, 148, 'latin1');
  return block;
}
