export interface TarFile {
  readonly path: string;
  /** A folder when there is none. */
  readonly content?: Buffer;
}

const blockSize = 512;

/** A tar in the ustar format: all owned by root, of the same second. */
export function tar(files: readonly TarFile[]): Buffer {
  const blocks = files.flatMap(({ path, content }) => [header(path, content), ...padded(content)]);
  return Buffer.concat([...blocks, Buffer.alloc(2 * blockSize)]);
}

function padded(content: Buffer | undefined): Buffer[] {
  return content === undefined ? [] : [content, Buffer.alloc(-content.length & (blockSize - 1))];
}

function header(path: string, content: Buffer | undefined): Buffer {
  const block = Buffer.alloc(blockSize);
  const isFolder = content === undefined;
  const octal = (value: number, digits: number) => `${value.toString(8).padStart(digits, '0')}\0`;
  block.write(isFolder ? `${path}/` : path, 0, 100);
  block.write(octal(isFolder ? 0o755 : 0o644, 7), 100);
  block.write(octal(0, 7), 108);
  block.write(octal(0, 7), 116);
  block.write(octal(content?.length ?? 0, 11), 124);
  block.write(octal(1_767_225_600, 11), 136);
  // The checksum is taken with its own field blank.
  block.write(' '.repeat(8), 148);
  block.write(isFolder ? '5' : '0', 156);
  block.write('ustar\x0000', 257);
  let sum = 0;
  for (const byte of block) sum += byte;
  block.write(`${octal(sum, 6)} `, 148);
  return block;
}
