/** Takes a stream of chunks apart by lengths. Never holds more than one chunk and what `read` was asked for. */
export interface ByteReader {
  /** Exactly `length` bytes; fewer when the stream ends before. */
  read(length: number): Promise<Buffer>;
  /** The next `length` bytes in the pieces that they came in; ends early when the stream does. */
  take(length: number): AsyncGenerator<Uint8Array, void>;
  close(): Promise<void>;
}

export function readerOf(source: AsyncIterable<Uint8Array>): ByteReader {
  const iterator = source[Symbol.asyncIterator]();
  let rest: Uint8Array = new Uint8Array();

  async function* take(length: number): AsyncGenerator<Uint8Array, void> {
    let wanted = length;
    while (wanted > 0) {
      if (rest.length === 0) {
        const next = await iterator.next();
        if (next.done === true) return;
        rest = next.value;
        continue;
      }
      const piece = rest.subarray(0, wanted);
      rest = rest.subarray(piece.length);
      wanted -= piece.length;
      yield piece;
    }
  }

  return {
    take,
    async read(length) {
      const pieces: Uint8Array[] = [];
      for await (const piece of take(length)) pieces.push(piece);
      return Buffer.concat(pieces);
    },
    async close() {
      await iterator.return?.();
    },
  };
}
