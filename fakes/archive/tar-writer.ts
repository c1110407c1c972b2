/** An entry to write; a string body is UTF-8. */
export interface WrittenEntry {
  name: string;
  body?: Buffer | string;
  /** Tar's type flag; a regular file when left out, a directory when the name ends in a slash. */
  type?: string;
  linkName?: string;
  mode?: number;
}

const block = 512;

/** A ustar archive with its end mark. Names of at most 100 bytes. */
export function tarOf(entries: readonly WrittenEntry[]): Buffer {
  return Buffer.concat([...entries.map(entryOf), Buffer.alloc(2 * block)]);
}

function entryOf(entry: WrittenEntry): Buffer {
  const body = Buffer.from(entry.body ?? '');
  const padding = Buffer.alloc((block - (body.length % block)) % block);
  return Buffer.concat([headerOf(entry, body.length), body, padding]);
}

/** POSIX.1-2017, pax, "ustar Header Block". */
function headerOf(entry: WrittenEntry, size: number): Buffer {
  const isDirectory = entry.name.endsWith('/');
  const header = Buffer.alloc(block);
  const octal = (value: number, at: number, length: number) =>
    header.write(value.toString(8).padStart(length - 1, '0'), at, 'latin1');
  header.write(entry.name, 0, 100);
  octal(entry.mode ?? (isDirectory ? 0o755 : 0o644), 100, 8);
  octal(0, 108, 8);
  octal(0, 116, 8);
  octal(size, 124, 12);
  octal(0, 136, 12);
  header.fill(' ', 148, 156);
  header.write(entry.type ?? (isDirectory ? '5' : '0'), 156);
  header.write(entry.linkName ?? '', 157, 100);
  header.write('ustar\u000000', 257);
  const sum = header.reduce((total, byte) => total + byte, 0);
  octal(sum, 148, 7);
  return header;
}
