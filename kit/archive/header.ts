import { type ByteString, fromBytes } from './bytes.ts';
import { BadArchive } from './entry.ts';

export const blockSize = 512;

/** A header block's fields, before pax and GNU extensions have their say. */
export interface HeaderBlock {
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

/** Reads a block of 512 bytes. `position` (bytes into the archive) names the block in errors. */
export function readHeader(block: Buffer, position: number): HeaderBlock {
  checkSum(block, position);
  const magic = block.toString('latin1', 257, 265);
  const isPosix = magic === 'ustar\u000000';
  const isGnu = magic === 'ustar  \u0000';
  // star ends its blocks with a mark, and gives the last 24 bytes of the prefix to times.
  const isStar = isPosix && block.toString('latin1', 508, 512) === 'tar\u0000';
  const base = text(block, 0, 100);
  const prefix = isPosix ? text(block, 345, isStar ? 131 : 155) : '';
  const name = prefix === '' ? base : `${prefix}/${base}`;
  const number = (offset: number, length: number) => readNumber(block, offset, length, name);
  return {
    name,
    mode: number(100, 8),
    uid: number(108, 8),
    gid: number(116, 8),
    size: number(124, 12),
    mtime: number(136, 12),
    typeflag: block.toString('latin1', 156, 157),
    linkname: text(block, 157, 100),
    major: isPosix || isGnu ? number(329, 8) : 0,
    minor: isPosix || isGnu ? number(337, 8) : 0,
  };
}

export function isZero(block: Buffer): boolean {
  for (let index = 0; index < blockSize; index++) {
    if (block[index] !== 0) return false;
  }
  return true;
}

function text(block: Buffer, offset: number, length: number): ByteString {
  const nul = block.indexOf(0, offset);
  const end = nul === -1 || nul > offset + length ? offset + length : nul;
  return fromBytes(block.subarray(offset, end));
}

/** Octal digits, or, with the first bit set, a big-endian two's complement number: GNU's "base 256". */
function readNumber(block: Buffer, offset: number, length: number, entry: ByteString): number {
  const first = block[offset] ?? 0;
  if ((first & 0x80) !== 0) {
    let value = BigInt.asIntN(7, BigInt(first & 0x7f));
    for (let index = 1; index < length; index++) value = (value << 8n) | BigInt(block[offset + index] ?? 0);
    if (value > BigInt(Number.MAX_SAFE_INTEGER) || value < BigInt(Number.MIN_SAFE_INTEGER)) {
      throw new BadArchive(entry, 'a number in the header is too large');
    }
    return Number(value);
  }
  const digits = block.toString('latin1', offset, offset + length).replace(/^[ \0]+|[ \0].*$/gs, '');
  if (digits === '') return 0;
  if (!/^[0-7]+$/.test(digits)) throw new BadArchive(entry, 'a number in the header is not octal');
  return Number.parseInt(digits, 8);
}

/** The sum of all bytes with the sum's own field as spaces. Old tars summed signed bytes. */
function checkSum(block: Buffer, position: number): void {
  let unsigned = 0;
  let signed = 0;
  for (let index = 0; index < blockSize; index++) {
    const byte = index >= 148 && index < 156 ? 0x20 : (block[index] ?? 0);
    unsigned += byte;
    signed += byte < 0x80 ? byte : byte - 0x100;
  }
  const stored = Number.parseInt(block.toString('latin1', 148, 156).replace(/^[ \0]+/, ''), 8);
  if (stored !== unsigned && stored !== signed) {
    throw new BadArchive(
      '',
      `the header at byte ${position} has a wrong checksum: this is no tar archive, or a damaged one`,
    );
  }
}
