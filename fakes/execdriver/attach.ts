import type { AttachOpen, AttachRequest, AttachResponse } from '../../proto/gen/longshore/execdriver/v1/stream.ts';
import type { ContainerStore } from './containers.ts';
import { errors } from './errors.ts';
import { createOutbox } from './outbox.ts';
import type { Stream } from './program.ts';
import type { Run } from './run.ts';

/** Joins a container's stdio, now or at its start. */
export async function* attach(
  store: ContainerStore,
  requests: AsyncIterable<AttachRequest>,
  signal: AbortSignal,
): AsyncGenerator<AttachResponse, void, undefined> {
  const frames = requests[Symbol.asyncIterator]();
  const open = openingOf(await frames.next());
  const outbox = createOutbox<AttachResponse>();
  const wants: Record<Stream, boolean> = { stdout: open.stdout, stderr: open.stderr };
  const show = (stream: Stream, bytes: Buffer) => {
    if (!wants[stream]) return;
    // The log may hold more in one piece than a message does.
    for (let at = 0; at < bytes.length; at += frameBytes) {
      const value = bytes.subarray(at, at + frameBytes);
      outbox.put({ frame: { $case: stream, value } }, value.length);
    }
  };

  let deaf: (() => void) | undefined;
  const joined = Promise.withResolvers<Run>();
  const join = (run: Run) => {
    joined.resolve(run);
    const ended = ({ code }: { code: number }) => {
      outbox.put({ frame: { $case: 'exit', value: { code } } });
      outbox.end();
    };
    if (run.ending !== undefined) ended(run.ending);
    else deaf = run.listen({ output: show, ended });
  };

  const waiting = store.whenStarted(open.id, open.generation, join);
  const ready = {
    tty: waiting.run?.spec.tty ?? false,
    running: waiting.run?.ending === undefined && waiting.run !== undefined,
  };
  outbox.put({ frame: { $case: 'ready', value: ready } });
  if (open.logs) for (const { stream, line } of store.logSoFar(open.id)?.lines() ?? []) show(stream, line);
  if (open.logs && !open.follow) outbox.end();
  else if (waiting.run !== undefined) join(waiting.run);

  signal.addEventListener('abort', outbox.end, { once: true });
  pump(store, open, frames, joined.promise).catch(() => undefined);
  try {
    yield* outbox.messages();
  } finally {
    waiting.stop();
    deaf?.();
    signal.removeEventListener('abort', outbox.end);
  }
}

const frameBytes = 64 * 1024;

function openingOf(first: IteratorResult<AttachRequest>): AttachOpen {
  const frame = first.done === true ? undefined : first.value.frame;
  if (frame?.$case !== 'open') throw errors.badFrame({ problem: 'the first frame opens' });
  return frame.value;
}

/** The client's frames to the process; its input waits for the start. */
async function pump(
  store: ContainerStore,
  open: AttachOpen,
  frames: AsyncIterator<AttachRequest>,
  joined: Promise<Run>,
): Promise<void> {
  for (let next = await frames.next(); next.done !== true; next = await frames.next()) {
    const { frame } = next.value;
    if (frame?.$case === 'resize') store.resize(open.id, frame.value.rows, frame.value.columns);
    if (!open.stdin) continue;
    if (frame?.$case === 'stdin') (await joined).input.push(frame.value);
    if (frame?.$case === 'closeStdin') break;
  }
  if (!open.stdin) return;
  const run = await joined;
  if (run.spec.stdinOnce) run.input.end();
}
