/** An entry to write; a string body is UTF-8. */
export interface WrittenEntry {
  name: string;
  body?: Buffer | string;
  /** Tar's type flag; a regular file when left out. */
  type?: string;
  linkName?: string;
  mode?: number;
  /** What the header says of the size, when it is to lie. */
  size?: number;
}

const block = 512;

/** A ustar archive, with its end mark. */
export function tarOf(entries: readonly WrittenEntry[]): Buffer {
  return Buffer.concat([...entries.map(entryOf), Buffer.alloc(2 * block)]);
}

export function entryOf(entry: WrittenEntry): Buffer {
  const body = Buffer.from(entry.body ?? '');
  const padding = Buffer.alloc((block - (body.length % block)) % block);
  return Buffer.concat([headerOf(entry, entry.size ?? body.length), body, padding]);
}

/** One record of a pax header, its length counted in. */
export function paxRecord(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`;
  let length = Buffer.byteLength(rest);
  while (String(length).length + Buffer.byteLength(rest) > length)
    length = String(length).length + Buffer.byteLength(rest);
  return `${length}${rest}`;
}

function headerOf(entry: WrittenEntry, size: number): Buffer {
  const header = Buffer.alloc(block);
  const octal = (value: number, at: number, length: number) =>
    header.write(value.toString(8).padStart(length - 1, '0'), at, 'latin1');
  header.write(entry.name, 0, 100);
  octal(entry.mode ?? 0o644, 100, 8);
  octal(0, 108, 8);
  octal(0, 116, 8);
  octal(size, 124, 12);
  octal(0, 136, 12);
  header.fill(' ', 148, 156);
  header.write(entry.type ?? '0', 156);
  header.write(entry.linkName ?? '', 157, 100);
  header.write('ustar\u000000', 257);
  octal(
    header.reduce((sum, byte) => sum + byte, 0),
    148,
    7,
  );
  return header;
}
