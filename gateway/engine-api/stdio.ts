import type { Readable, Writable } from 'node:stream';
import type { CloseStdin } from '../../proto/gen/longshore/execdriver/v1/stream.ts';
import { watchKeys } from './detach-keys.ts';
import { written } from './exchange.ts';
import { frame, stderr, stdout } from './frames.ts';

const lingerMs = 10_000;

/** What goes up in an attach and in an exec alike. */
export interface InputFrame {
  frame: { $case: 'stdin'; value: Buffer } | { $case: 'closeStdin'; value: CloseStdin };
}

/** What comes down in both, beside the frames of their own. */
export interface OutputMessage {
  frame?:
    | { $case: 'stdout' | 'stderr'; value: Uint8Array }
    | { $case: 'accepted' | 'ready'; value: object }
    | { $case: 'exit'; value: { code: number } }
    | undefined;
}

/** The first message, which says that the call stands. Throws what the exec driver refuses it with. */
export async function standing(frames: AsyncIterator<OutputMessage>): Promise<void> {
  const { done, value } = await frames.next();
  if (done || value.frame?.$case !== 'ready') throw new Error('the exec driver did not say that the call stands');
}

/**
 * Sends output on until the process or the call ends; `raw` leaves the two streams as one. `onExit` hears of the exit code before
 * the client sees the end. From here on a failure can only be told by cutting the line.
 */
export async function passDown(
  frames: AsyncIterator<OutputMessage>,
  output: Writable,
  { raw, call, onExit }: { raw: boolean; call: LongCall; onExit?: (code: number) => void },
): Promise<void> {
  try {
    for (let next = await frames.next(); !next.done; next = await frames.next()) {
      const { frame: received } = next.value;
      if (received?.$case === 'exit') {
        onExit?.(received.value.code);
        call.letEnd();
        void readToEnd(frames);
        break;
      }
      if (received?.$case !== 'stdout' && received?.$case !== 'stderr') continue;
      const stream = received.$case === 'stdout' ? stdout : stderr;
      await written(output, raw ? received.value : frame(stream, received.value));
    }
  } catch (error) {
    if (!call.signal.aborted) {
      output.destroy();
      throw error;
    }
  }
  hangUp(output);
}

/** A call that lasts as long as its client stays. */
export interface LongCall {
  /** Cancels the call. */
  readonly signal: AbortSignal;
  cancel(): void;
  /** All has come but the end: the client's leaving cancels it no more. */
  letEnd(): void;
}

/**
 * A call that is cancelled is ended by a reset, of which HTTP/2 servers take some dozen a second and no more: then they end the
 * connection, and all calls with it. So one that is at its end anyway is left to it.
 */
export function longCall(client: AbortSignal): LongCall {
  const controller = new AbortController();
  const cancel = () => controller.abort();
  if (client.aborted) cancel();
  client.addEventListener('abort', cancel, { once: true });
  return { signal: controller.signal, cancel, letEnd: () => client.removeEventListener('abort', cancel) };
}

async function readToEnd(frames: AsyncIterator<OutputMessage>): Promise<void> {
  try {
    while (!(await frames.next()).done);
  } catch {
    // All that was wanted of it has come.
  }
}

/** Ends a hijacked connection when all is sent. */
export function hangUp(output: Writable): void {
  output.end();
  // The client ends the other half when it has read all; one that does not is not waited for.
  const linger = setTimeout(() => output.destroy(), lingerMs);
  output.on('close', () => clearTimeout(linger));
}

/**
 * What the client sends, until it ends. Its end closes the process's stdin only where that is to be used once and is no
 * terminal; else it detaches, as in Docker.
 */
export async function* inputFrames(
  input: Readable,
  { tty, stdinOnce, detachKeys }: { tty: boolean; stdinOnce: boolean; detachKeys: Buffer },
  detach: (by: 'keys' | 'end') => void,
): AsyncGenerator<InputFrame> {
  const watch = tty ? watchKeys(detachKeys) : undefined;
  try {
    // Left alone at its end, since the same connection still carries output.
    for await (const chunk of input.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      const { bytes, isComplete } = watch?.(chunk) ?? { bytes: chunk, isComplete: false };
      if (bytes.length > 0) yield { frame: { $case: 'stdin', value: bytes } };
      if (isComplete) {
        detach('keys');
        return;
      }
    }
  } catch {
    // The client's connection broke: the call is cancelled by its signal.
    return;
  }
  if (stdinOnce && !tty) yield { frame: { $case: 'closeStdin', value: {} } };
  else detach('end');
}
