import type { Readable } from 'node:stream';
import { detached } from '../../kit/rpc/call.ts';
import { type OpenStreamResponse, StreamPurpose } from '../../proto/gen/longshore/daemon/v1/container.ts';
import type { AttachOpen, AttachRequest } from '../../proto/gen/longshore/execdriver/v1/stream.ts';
import type { Peers } from '../peers.ts';
import { parseDetachKeys } from './detach-keys.ts';
import type { Exchange, Hijacked } from './exchange.ts';
import { streamType } from './frames.ts';
import { inputFrames, longCall, passDown, standing } from './stdio.ts';
import { atLeast } from './version.ts';

/** Joins a container's stdio over a connection that is taken out of HTTP's hands. */
export function attach(exchange: Exchange, peers: Peers): Promise<void> {
  return join(
    exchange,
    peers,
    ['stdin', 'stdout', 'stderr'].filter((stream) => exchange.query.truth(stream)),
    {
      isRaw: ({ tty }) => tty,
      take: async ({ tty }) => exchange.hijack(streamType(tty, atLeast(exchange.version, '1.42'))),
    },
  );
}

/** The same over a WebSocket, which has no room for Docker's framing: stdout and stderr are one. */
export function attachWebSocket(exchange: Exchange, peers: Peers): Promise<void> {
  const choice = atLeast(exchange.version, '1.42');
  const streams = ['stdin', 'stdout', 'stderr'].filter((stream) => !choice || exchange.query.truth(stream));
  return join(exchange, peers, streams, { isRaw: () => true, take: () => exchange.webSocket() });
}

/** How a client's connection becomes one of bytes. */
interface Line {
  isRaw(target: OpenStreamResponse): boolean;
  take(target: OpenStreamResponse): Promise<Hijacked>;
}

/**
 * The client is answered when the exec driver says that the call stands: a start that follows loses not a byte.
 */
async function join(exchange: Exchange, peers: Peers, streams: readonly string[], line: Line): Promise<void> {
  const { query, path, signal } = exchange;
  const detachKeys = parseDetachKeys(query.text('detachKeys'));
  const target = await peers.containers.openStream({
    container: path.id ?? '',
    purpose: StreamPurpose.STREAM_PURPOSE_ATTACH,
  });
  const call = longCall(signal);
  const client = Promise.withResolvers<Readable | undefined>();
  const ended = Promise.withResolvers<void>();
  const open: AttachOpen = {
    id: target.containerId,
    stdin: streams.includes('stdin') && target.openStdin,
    stdout: streams.includes('stdout'),
    stderr: streams.includes('stderr'),
    logs: query.truth('logs'),
    follow: query.truth('stream'),
    generation: 0,
  };
  const letGo = (by: 'keys' | 'end') => {
    call.cancel();
    if (by === 'keys') tellDetached(peers, target.containerId);
  };

  async function* framesUp(): AsyncGenerator<AttachRequest> {
    yield { frame: { $case: 'open', value: open } };
    const input = await client.promise;
    if (input !== undefined && open.stdin) yield* inputFrames(input, { ...target, detachKeys }, letGo);
    else input?.resume();
    // The end of the requests is the call's, not the input's.
    await ended.promise;
  }

  try {
    const frames = peers.streams.attach(framesUp(), { signal: call.signal })[Symbol.asyncIterator]();
    await standing(frames);
    const { input, output } = await line.take(target);
    client.resolve(input);
    // Neither what was nor what will be written: there is nothing to stay for.
    if (!open.logs && !open.follow) call.cancel();
    await passDown(frames, output, { raw: line.isRaw(target), call });
  } finally {
    client.resolve(undefined);
    ended.resolve();
  }
}

/** An event at most: nothing else depends on it. */
export function tellDetached({ containers }: Peers, container: string, execId = ''): void {
  // The client's own call ends with its connection.
  detached(() => containers.reportDetach({ container, execId })).catch(() => undefined);
}
