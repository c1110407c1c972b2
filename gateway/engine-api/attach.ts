import type { Readable, Writable } from 'node:stream';
import { type OpenStreamResponse, StreamPurpose } from '../../proto/gen/longshore/daemon/v1/container.ts';
import type { AttachOpen, AttachRequest, AttachResponse } from '../../proto/gen/longshore/execdriver/v1/stream.ts';
import type { Peers } from '../peers.ts';
import { parseDetachKeys, watchKeys } from './detach-keys.ts';
import { type Exchange, written } from './exchange.ts';
import { frame, stderr, stdout, streamType } from './frames.ts';
import type { Query } from './query.ts';
import { atLeast } from './version.ts';

const lingerMs = 10_000;

/**
 * Joins a container's stdio. The client is answered when the exec driver says that the call stands: a start that follows
 * loses not a byte.
 */
export async function attach(exchange: Exchange, peers: Peers): Promise<void> {
  const { query, path, signal } = exchange;
  const detachKeys = parseDetachKeys(query.text('detachKeys'));
  const target = await peers.containers.openStream({
    container: path.id ?? '',
    purpose: StreamPurpose.STREAM_PURPOSE_ATTACH,
  });
  const detach = new AbortController();
  const client = Promise.withResolvers<Readable | undefined>();
  const ended = Promise.withResolvers<void>();
  const open = attachOpen(query, target);

  async function* framesUp(): AsyncGenerator<AttachRequest> {
    yield { frame: { $case: 'open', value: open } };
    const input = await client.promise;
    if (input !== undefined && open.stdin) yield* inputFrames(input, target, detachKeys, () => detach.abort());
    else input?.resume();
    // The end of the requests is the call's, not the input's.
    await ended.promise;
  }

  try {
    const frames = peers.streams
      .attach(framesUp(), { signal: AbortSignal.any([signal, detach.signal]) })
      [Symbol.asyncIterator]();
    await standing(frames);
    const { input, output } = exchange.hijack(streamType(target.tty, atLeast(exchange.version, '1.42')));
    client.resolve(input);
    // Neither what was nor what will be written: there is nothing to stay for.
    if (!open.logs && !open.follow) detach.abort();
    await passDown(frames, output, target.tty, () => signal.aborted || detach.signal.aborted);
  } finally {
    client.resolve(undefined);
    ended.resolve();
  }
}

function attachOpen(query: Query, target: OpenStreamResponse): AttachOpen {
  return {
    id: target.containerId,
    stdin: query.truth('stdin') && target.openStdin,
    stdout: query.truth('stdout'),
    stderr: query.truth('stderr'),
    logs: query.truth('logs'),
    follow: query.truth('stream'),
    generation: 0,
  };
}

type Frames = AsyncIterator<AttachResponse>;

async function standing(frames: Frames): Promise<void> {
  const { done, value } = await frames.next();
  if (done || value.frame?.$case !== 'ready') throw new Error('the exec driver did not say that the attach stands');
}

/** Sends output on until the container or the attach ends. From here on a failure can only be told by cutting the line. */
async function passDown(frames: Frames, output: Writable, tty: boolean, isOver: () => boolean): Promise<void> {
  try {
    for (let next = await frames.next(); !next.done; next = await frames.next()) {
      const { frame: received } = next.value;
      if (received?.$case === 'exit') break;
      if (received?.$case !== 'stdout' && received?.$case !== 'stderr') continue;
      const stream = received.$case === 'stdout' ? stdout : stderr;
      await written(output, tty ? received.value : frame(stream, received.value));
    }
  } catch (error) {
    if (!isOver()) {
      output.destroy();
      throw error;
    }
  }
  output.end();
  // The client ends the other half when it has read all; one that does not is not waited for.
  const linger = setTimeout(() => output.destroy(), lingerMs);
  output.on('close', () => clearTimeout(linger));
}

/**
 * What the client sends, until it ends. Its end closes the container's stdin only where that is to be used once and is no
 * terminal; else it detaches, as in Docker.
 */
async function* inputFrames(
  input: Readable,
  { tty, stdinOnce }: OpenStreamResponse,
  detachKeys: Buffer,
  detach: () => void,
): AsyncGenerator<AttachRequest> {
  const watch = tty ? watchKeys(detachKeys) : undefined;
  try {
    // Left alone at its end, since the same connection still carries output.
    for await (const chunk of input.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      const { bytes, isComplete } = watch?.(chunk) ?? { bytes: chunk, isComplete: false };
      if (bytes.length > 0) yield { frame: { $case: 'stdin', value: bytes } };
      if (isComplete) {
        detach();
        return;
      }
    }
  } catch {
    // The client's connection broke: the call is cancelled by its signal.
    return;
  }
  if (stdinOnce && !tty) yield { frame: { $case: 'closeStdin', value: {} } };
  else detach();
}
