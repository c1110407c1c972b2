import { once } from 'node:events';
import { connect } from 'node:net';

/** With which an answer ends that came in chunks, RFC 9112 §7.1. */
const lastChunk = '0\r\n\r\n';

/**
 * Asks for a path on an engine's socket and throws the answer away; tells how many bytes came. Without an HTTP parser, which
 * on an answer of two million small chunks would need more time than the engine.
 */
export async function drain(socketPath: string, path: string): Promise<number> {
  const socket = connect({ path: socketPath });
  await once(socket, 'connect');
  socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`);
  let bytes = 0;
  let status = '';
  let end = Buffer.alloc(0);
  for await (const chunk of socket) {
    if (bytes === 0) status = chunk.subarray(0, 'HTTP/1.1 200'.length).toString();
    bytes += chunk.length;
    end = chunk.length < lastChunk.length ? Buffer.concat([end, chunk]) : chunk;
  }
  if (status !== 'HTTP/1.1 200') throw new Error(`GET ${path}: ${status}`);
  if (!end.toString('latin1').endsWith(lastChunk)) throw new Error(`GET ${path}: cut off after ${bytes} bytes`);
  return bytes;
}
