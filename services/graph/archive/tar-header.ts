import { badArchive } from '../errors.ts';

/** One header block of a tar archive (POSIX.1-1988 ustar; GNU's old header where the magic says so). */
export interface TarHeader {
  name: string;
  type: string;
  size: number;
  linkName: string;
}

export const blockSize = 512;

/** Undefined for the block of zeros that ends an archive. `part` names the archive in BAD_ARCHIVE. */
export function parseHeader(block: Buffer, part: string): TarHeader | undefined {
  if (block.every((byte) => byte === 0)) return undefined;
  if (number(block, 148, 8) !== checksum(block)) throw badArchive(part, 'is not a tar archive');
  const size = number(block, 124, 12);
  if (size === undefined || !Number.isSafeInteger(size) || size < 0) {
    throw badArchive(part, 'has an entry without a valid size');
  }
  const name = text(block, 0, 100);
  // GNU's old format keeps times where ustar has the prefix; its magic ends in a blank.
  const prefix = text(block, 257, 6) === 'ustar' ? text(block, 345, 155) : '';
  return {
    name: prefix === '' ? name : `${prefix}/${name}`,
    type: String.fromCharCode(block[156] ?? 0),
    size,
    linkName: text(block, 157, 100),
  };
}

/** The sum of the header's bytes, its own field taken as blanks. */
function checksum(block: Buffer): number {
  let sum = 8 * 0x20;
  for (let i = 0; i < blockSize; i++) if (i < 148 || i >= 156) sum += block[i] ?? 0;
  return sum;
}

function text(block: Buffer, start: number, length: number): string {
  const field = block.subarray(start, start + length);
  const end = field.indexOf(0);
  return field.toString('utf8', 0, end < 0 ? length : end);
}

/** Octal digits, or GNU's big-endian binary when the first bit is set. */
function number(block: Buffer, start: number, length: number): number | undefined {
  const first = block[start] ?? 0;
  if (first & 0x80) {
    if (first !== 0x80) return undefined;
    let value = 0;
    for (let i = start + 1; i < start + length; i++) value = value * 256 + (block[i] ?? 0);
    return value;
  }
  const digits = text(block, start, length).trim();
  return /^[0-7]*$/.test(digits) ? Number.parseInt(digits === '' ? '0' : digits, 8) : undefined;
}

/** The records of a pax extended header (POSIX.1-2001): each `<length> <key>=<value>\n`, the length in bytes, whole. */
export function parsePax(bytes: Buffer, part: string): Map<string, string> {
  const records = new Map<string, string>();
  for (let at = 0; at < bytes.length; ) {
    const blank = bytes.indexOf(0x20, at);
    const length = blank < 0 ? Number.NaN : Number(bytes.toString('latin1', at, blank));
    const end = at + length;
    const equals = bytes.indexOf(0x3d, blank);
    if (!Number.isInteger(length) || length <= 0 || end > bytes.length || equals < 0 || equals >= end) {
      throw badArchive(part, 'has a malformed pax header');
    }
    records.set(bytes.toString('utf8', blank + 1, equals), bytes.toString('utf8', equals + 1, end - 1));
    at = end;
  }
  return records;
}
