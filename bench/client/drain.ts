import { once } from 'node:events';
import { connect } from 'node:net';

/** With which an answer ends that came in chunks, RFC 9112 §7.1. */
const lastChunk = '0\r\n\r\n';

/**
 * Asks for a path on an engine's socket and throws the answer away; tells how many bytes came. Without an HTTP parser, which
 * on an answer of two million small chunks would need more time than the engine, and into one buffer: this is not what is measured.
 */
export async function drain(socketPath: string, path: string): Promise<number> {
  let bytes = 0;
  let status = '';
  let end = '';
  const see = (length: number, buffer: Uint8Array) => {
    const chunk = Buffer.from(buffer.buffer, buffer.byteOffset, length);
    if (bytes === 0) status = chunk.toString('latin1', 0, 'HTTP/1.1 200'.length);
    bytes += length;
    end = `${end}${chunk.toString('latin1', Math.max(0, length - lastChunk.length))}`.slice(-lastChunk.length);
    return true;
  };
  const socket = connect({ path: socketPath, onread: { buffer: Buffer.alloc(256 * 1024), callback: see } });
  socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`);
  await once(socket, 'close');
  if (status !== 'HTTP/1.1 200') throw new Error(`GET ${path}: ${status}`);
  if (end !== lastChunk) throw new Error(`GET ${path}: cut off after ${bytes} bytes`);
  return bytes;
}
