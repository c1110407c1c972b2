/** The streams of a container, by Docker's numbers. */
export const stdout = 1;
export const stderr = 2;

/** Docker's multiplexed stream: {stream, 0, 0, 0, length big-endian} and the bytes. */
export function frame(stream: typeof stdout | typeof stderr, bytes: Uint8Array): Buffer {
  const framed = Buffer.allocUnsafe(8 + bytes.length);
  framed.writeUInt32BE(stream << 24, 0);
  framed.writeUInt32BE(bytes.length, 4);
  framed.set(bytes, 8);
  return framed;
}

/** What a stream is called from API 1.42 on; before, it was always the raw one. */
export function streamType(tty: boolean, tellsApart: boolean): string {
  return !tty && tellsApart ? 'application/vnd.docker.multiplexed-stream' : 'application/vnd.docker.raw-stream';
}
