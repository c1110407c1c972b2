import { messageOf } from '../../kit/errors.ts';
import {
  type Exec,
  ExecOpen,
  type ExecStartRequest,
  type ExecStartResponse,
} from '../../proto/gen/longshore/execdriver/v1/exec.ts';
import type { Peers } from '../peers.ts';
import { tellDetached } from './attach.ts';
import { bodyOf } from './body.ts';
import { consoleSize } from './container-config.ts';
import { parseDetachKeys } from './detach-keys.ts';
import type { EndedExecs } from './ended-execs.ts';
import type { Exchange } from './exchange.ts';
import { frame, stdout, streamType } from './frames.ts';
import { hangUp, type InputFrame, inputFrames, longCall, passDown, standing } from './stdio.ts';
import { atLeast } from './version.ts';

/** Starts an exec and stays with it until it is among the ended ones, or only starts it. */
export async function startExec(exchange: Exchange, peers: Peers, ended: EndedExecs): Promise<void> {
  const { path, signal } = exchange;
  const body = (await exchange.openingBody()) ?? bodyOf({});
  const [rows, columns] = consoleSize(body);
  const open = ExecOpen.fromPartial({
    id: path.id ?? '',
    detach: body.truth('Detach'),
    asCreated: true,
    ...(rows > 0 && columns > 0 && { size: { rows, columns } }),
  });
  if (!open.detach) {
    // As in Docker it is this request that says how the streams come, whatever the exec has.
    await stay(exchange, peers, { open, raw: body.truth('Tty'), ended });
    return;
  }
  const frames = peers.execs.execStart(opening(open), { signal })[Symbol.asyncIterator]();
  await accepted(frames);
  await standing(frames);
  exchange.empty(200);
}

async function* opening(open: ExecOpen): AsyncGenerator<ExecStartRequest> {
  yield { frame: { $case: 'open', value: open } };
}

/** The exec that is being started. Throws why it cannot be: what Docker answers before it takes the connection over. */
async function accepted(frames: AsyncIterator<ExecStartResponse>): Promise<Exec> {
  const { done, value } = await frames.next();
  const exec = !done && value.frame?.$case === 'accepted' ? value.frame.value.exec : undefined;
  if (exec === undefined) throw new Error('the exec driver did not say which exec it starts');
  return exec;
}

async function stay(
  exchange: Exchange,
  peers: Peers,
  { open, raw, ended }: { open: ExecOpen; raw: boolean; ended: EndedExecs },
): Promise<void> {
  const { signal } = exchange;
  const type = streamType(raw, atLeast(exchange.version, '1.42'));
  const call = longCall(signal);
  const isOver = Promise.withResolvers<void>();
  const inputs = Promise.withResolvers<AsyncIterable<InputFrame> | undefined>();

  async function* framesUp(): AsyncGenerator<ExecStartRequest> {
    yield* opening(open);
    const input = await Promise.race([inputs.promise, isOver.promise]);
    if (!input) return;
    yield* input;
    // The end of the requests is the call's, not the input's.
    await isOver.promise;
  }

  try {
    const frames = peers.execs.execStart(framesUp(), { signal: call.signal })[Symbol.asyncIterator]();
    const exec = await accepted(frames);
    const { containerId, spec } = exec;
    // As in Docker the head goes first, alone: there are clients that read ahead, and lose what comes in one piece with it.
    const { input, output } = exchange.hijack(type);
    if (spec?.openStdin) {
      const terms = { tty: spec.tty, stdinOnce: true, detachKeys: parseDetachKeys(spec.detachKeys || undefined) };
      const letGo = (by: 'keys' | 'end') => {
        call.cancel();
        if (by === 'keys') tellDetached(peers, containerId, open.id);
      };
      inputs.resolve(inputFrames(input, terms, letGo));
    } else {
      inputs.resolve(undefined);
      input.resume();
    }
    try {
      await standing(frames);
    } catch (error) {
      // Clients look here for what was wrong, and at the exit code.
      const words = Buffer.from(`${messageOf(error)}\r\n`);
      if (!call.signal.aborted) output.write(raw ? words : frame(stdout, words));
      input.resume();
      hangUp(output);
      return;
    }
    await passDown(frames, output, { raw, call, onExit: (code) => ended.keep(exec, code) });
  } finally {
    isOver.resolve();
  }
}
