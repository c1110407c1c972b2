/**
 * A file name as Linux has it: any bytes but NUL, as a string with one character (0–255) a byte. Archives carry names in
 * every encoding, and a layer keeps them as they are.
 */
export type ByteString = string;

export function toBytes(text: ByteString): Buffer {
  return Buffer.from(text, 'latin1');
}

export function fromBytes(bytes: Uint8Array): ByteString {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
}

/** For messages and answers: read as UTF-8; what is not becomes U+FFFD. */
export function toText(text: ByteString): string {
  return toBytes(text).toString('utf8');
}

export function fromText(text: string): ByteString {
  return fromBytes(Buffer.from(text, 'utf8'));
}
