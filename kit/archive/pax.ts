import type { ByteString } from './bytes.ts';
import { BadArchive, type Timestamp } from './entry.ts';

/** Reads pax records, `LENGTH KEY=VALUE\n` one after the other; LENGTH counts the whole record. POSIX pax, "extended header". */
export function readPaxRecords(body: Buffer, entry: ByteString): Map<ByteString, ByteString> {
  const records = new Map<ByteString, ByteString>();
  let offset = 0;
  while (offset < body.length) {
    const space = body.indexOf(0x20, offset);
    const digits = space === -1 || space - offset > 10 ? '' : body.toString('latin1', offset, space);
    const end = offset + Number(digits);
    if (!/^[0-9]+$/.test(digits) || end > body.length || end < space + 3 || body[end - 1] !== 0x0a) {
      throw new BadArchive(entry, 'a pax header is malformed');
    }
    const equals = body.indexOf(0x3d, space + 1);
    if (equals === -1 || equals >= end) throw new BadArchive(entry, 'a pax record has no "="');
    records.set(body.toString('latin1', space + 1, equals), body.toString('latin1', equals + 1, end - 1));
    offset = end;
  }
  return records;
}

export function paxInteger(value: ByteString, key: string, entry: ByteString): number {
  const number = /^-?[0-9]{1,16}$/.test(value) ? Number(value) : Number.NaN;
  if (!Number.isSafeInteger(number)) throw new BadArchive(entry, `the pax record "${key}" is not a usable number`);
  return number;
}

/** `SECONDS[.FRACTION]`, perhaps negative; digits below a nanosecond are dropped. */
export function paxTime(value: ByteString, entry: ByteString): Timestamp {
  const match = /^(-?)([0-9]{1,15})(?:\.([0-9]*))?$/.exec(value);
  if (match === null) throw new BadArchive(entry, 'the pax record "mtime" is not a time');
  const [, sign, whole, fraction = ''] = match;
  const seconds = Number(whole);
  const nanoseconds = Number(fraction.slice(0, 9).padEnd(9, '0'));
  if (sign === '') return { seconds, nanoseconds };
  return nanoseconds === 0
    ? { seconds: -seconds, nanoseconds: 0 }
    : { seconds: -seconds - 1, nanoseconds: 1_000_000_000 - nanoseconds };
}

export function formatPaxTime(time: Timestamp): string {
  if (time.nanoseconds === 0) return String(time.seconds);
  const isNegative = time.seconds < 0;
  const seconds = isNegative ? -time.seconds - 1 : time.seconds;
  const nanoseconds = isNegative ? 1_000_000_000 - time.nanoseconds : time.nanoseconds;
  const fraction = String(nanoseconds).padStart(9, '0').replace(/0+$/, '');
  return `${isNegative ? '-' : ''}${seconds}.${fraction}`;
}

/** One record. Its length counts its own digits. */
export function paxRecord(key: ByteString, value: ByteString): ByteString {
  const rest = key.length + value.length + 3;
  let length = rest + String(rest).length;
  if (rest + String(length).length !== length) length = rest + String(length).length;
  return `${length} ${key}=${value}\n`;
}
