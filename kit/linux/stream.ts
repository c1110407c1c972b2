import { Socket } from 'node:net';
import { check, closeDescriptor, libc, OpenFlag } from './libc.ts';
import { SystemError } from './system-error.ts';

/** The part of libuv's pipe handle that we need. It reads and writes any descriptor that poll(2) knows. */
type PipeHandle = { open(fd: number): number };
type PipeConstructor = new (type: number) => PipeHandle;

let pipeConstructor: PipeConstructor | undefined;

/** Node has no public name for the class: it is that of the handle which a Socket over a pipe gets. */
function findPipeConstructor(): PipeConstructor {
  if (pipeConstructor) return pipeConstructor;
  const [read, write] = pipe();
  const socket = new Socket({ fd: read, readable: true, writable: false });
  const handle: unknown = Reflect.get(socket, '_handle');
  socket.destroy();
  closeDescriptor(write);
  if (typeof handle !== 'object' || handle === null || !isPipeConstructor(handle.constructor)) {
    throw new TypeError('this version of Node has no pipe handle');
  }
  pipeConstructor = handle.constructor;
  return pipeConstructor;
}

function isPipeConstructor(value: unknown): value is PipeConstructor {
  return typeof value === 'function' && value.name === 'Pipe' && 'open' in value.prototype;
}

/**
 * A pipe, both ends close-on-exec: [read end, write end]. Neither is of Node: each has to be closed, or given to a
 * stream, which closes it.
 */
export function pipe(): [number, number] {
  const pair = Buffer.alloc(8);
  check(libc.pipe2(pair, OpenFlag.CLOEXEC), 'pipe2');
  return [pair.readInt32LE(0), pair.readInt32LE(4)];
}

export type StreamOptions = {
  readonly readable?: boolean;
  readonly writable?: boolean;
  /** Ending one direction leaves the other open. */
  readonly allowHalfOpen?: boolean;
};

/** A stream over a descriptor that can be polled. The stream owns the descriptor and closes it. */
export function streamOver(fd: number, options: StreamOptions): Socket {
  const Pipe = findPipeConstructor();
  const handle = new Pipe(0); // uv_pipe_init without descriptor passing
  const refused = handle.open(fd);
  if (refused < 0) {
    closeDescriptor(fd);
    throw new SystemError('uv_pipe_open', -refused, `descriptor ${fd}`);
  }
  const { readable = false, writable = false, allowHalfOpen = false } = options;
  // Node's types know only its own handles here.
  const socket: Socket = Reflect.construct(Socket, [{ handle, readable, writable, allowHalfOpen }]);
  return socket;
}

/** The read end of a pipe as a stream, which ends when the last writer has closed its end. */
export function readable(fd: number): Socket {
  return streamOver(fd, { readable: true });
}

/** The write end of a pipe as a stream. */
export function writable(fd: number): Socket {
  return streamOver(fd, { writable: true });
}
