/** A message larger than this is not read here: what is looked into is small. */
const largest = 64 * 1024;
const prefixSize = 5;

/** Splits a gRPC body into its messages; see gRPC over HTTP/2, Length-Prefixed-Message. */
export async function* messagesOf(body: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let bytes = Buffer.alloc(0);
  for await (const chunk of body) {
    bytes = Buffer.concat([bytes, chunk]);
    for (let size = messageSize(bytes); size !== undefined; size = messageSize(bytes)) {
      yield bytes.subarray(prefixSize, size);
      bytes = bytes.subarray(size);
    }
  }
}

/** Bytes of the first message with its prefix, when it is whole. */
export function messageSize(bytes: Buffer): number | undefined {
  if (bytes.length < prefixSize) return undefined;
  const size = prefixSize + bytes.readUInt32BE(1);
  if (bytes[0] !== 0 || size > largest) throw new Error('a compressed or oversized message');
  return bytes.length < size ? undefined : size;
}

export function framed(message: Uint8Array): Buffer {
  const bytes = Buffer.alloc(prefixSize + message.length);
  bytes.writeUInt32BE(message.length, 1);
  bytes.set(message, prefixSize);
  return bytes;
}
