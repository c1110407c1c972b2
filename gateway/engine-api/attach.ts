import type { Readable } from 'node:stream';
import { type OpenStreamResponse, StreamPurpose } from '../../proto/gen/longshore/daemon/v1/container.ts';
import type { AttachOpen, AttachRequest } from '../../proto/gen/longshore/execdriver/v1/stream.ts';
import type { Peers } from '../peers.ts';
import { parseDetachKeys } from './detach-keys.ts';
import type { Exchange } from './exchange.ts';
import { streamType } from './frames.ts';
import type { Query } from './query.ts';
import { inputFrames, passDown, standing } from './stdio.ts';
import { atLeast } from './version.ts';

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
    if (input !== undefined && open.stdin) yield* inputFrames(input, { ...target, detachKeys }, () => detach.abort());
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
    const isOver = () => signal.aborted || detach.signal.aborted;
    await passDown(frames, output, { raw: target.tty, isOver });
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
