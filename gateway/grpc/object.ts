import type { ServerHttp2Stream } from 'node:http2';
import { BinaryReader } from '@bufbuild/protobuf/wire';

/** The names that requests begin with are short; what is longer is not waited for. */
const enough = 4096;
const prefixSize = 5;
const longestName = 256;

/**
 * The object of a call that is passed on: its first message's first field, which in our contracts is what it is about, or a
 * message that begins with that. Ask when the call is over. Empty when the first field says nothing readable.
 */
export function objectOf(stream: ServerHttp2Stream): () => string {
  let begin = Buffer.alloc(0);
  const look = (chunk: Buffer) => {
    begin = Buffer.concat([begin, chunk.subarray(0, enough)]);
    if (begin.length >= enough) stream.off('data', look);
  };
  stream.on('data', look);
  return () => firstText(begin.subarray(prefixSize));
}

function firstText(message: Uint8Array): string {
  try {
    const reader = new BinaryReader(message);
    const [field, wireType] = reader.tag();
    if (field !== 1 || wireType !== 2) return '';
    const bytes = reader.bytes();
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    // A message's own first byte is a tag, which no name begins with.
    return /^[\p{Cc}]/u.test(text) ? firstText(bytes) : text.slice(0, longestName);
  } catch {
    return '';
  }
}
