import { messageOf } from '../../kit/errors.ts';
import {
  type Exec,
  type ExecOpen,
  type ExecSpec,
  type ExecStartRequest,
  ExecState,
} from '../../proto/gen/longshore/execdriver/v1/exec.ts';
import { ProcessState } from '../../proto/gen/longshore/execdriver/v1/process.ts';
import type { Peers } from '../peers.ts';
import { tellDetached } from './attach.ts';
import { bodyOf } from './body.ts';
import { consoleSize } from './container-config.ts';
import { parseDetachKeys } from './detach-keys.ts';
import { notFound, Refusal } from './errors.ts';
import type { Exchange } from './exchange.ts';
import { frame, stdout, streamType } from './frames.ts';
import { hangUp, inputFrames, passDown, standing } from './stdio.ts';
import { atLeast } from './version.ts';

/** Starts an exec and stays with it, or only starts it. */
export async function startExec(exchange: Exchange, peers: Peers): Promise<void> {
  const { path, signal } = exchange;
  const body = (await exchange.openingBody()) ?? bodyOf({});
  const id = path.id ?? '';
  const { exec } = await peers.execs.getExec({ id });
  if (exec?.spec === undefined) throw notFound(`No such exec instance: ${id}`);
  await assertStartable(exec, peers);
  const [rows, columns] = consoleSize(body);
  const open = {
    id,
    detach: body.truth('Detach'),
    stdin: exec.spec.openStdin,
    stdout: exec.spec.attachStdout,
    stderr: exec.spec.attachStderr,
    killOnCancel: false,
    size: rows > 0 && columns > 0 ? { rows, columns } : undefined,
  };
  if (!open.detach) {
    // As in Docker it is this request that says how the streams come, whatever the exec has.
    await stay(exchange, peers, { open, spec: exec.spec, raw: body.truth('Tty'), containerId: exec.containerId });
    return;
  }
  await standing(peers.execs.execStart(opening(open), { signal })[Symbol.asyncIterator]());
  exchange.empty(200);
}

/** What Docker answers before it takes the connection over. */
async function assertStartable({ id, state, containerId }: Exec, { processes }: Peers): Promise<void> {
  if (state === ExecState.EXEC_STATE_RUNNING) throw new Refusal(409, `exec command ${id} is already running`);
  if (state === ExecState.EXEC_STATE_EXITED) throw new Refusal(409, `exec command ${id} has already run`);
  const { process } = await processes.getContainer({ id: containerId });
  if (process?.state === ProcessState.PROCESS_STATE_PAUSED) {
    throw new Refusal(409, `Container ${containerId} is paused, unpause the container before exec`);
  }
  if (process?.state !== ProcessState.PROCESS_STATE_RUNNING) {
    throw new Refusal(409, `container ${containerId} is not running`);
  }
}

async function* opening(open: ExecOpen): AsyncGenerator<ExecStartRequest> {
  yield { frame: { $case: 'open', value: open } };
}

async function stay(
  exchange: Exchange,
  peers: Peers,
  { open, spec, raw, containerId }: { open: ExecOpen; spec: ExecSpec; raw: boolean; containerId: string },
): Promise<void> {
  const { signal } = exchange;
  const type = streamType(raw, atLeast(exchange.version, '1.42'));
  const terms = { tty: spec.tty, stdinOnce: true, detachKeys: parseDetachKeys(spec.detachKeys || undefined) };
  const detach = new AbortController();
  const ended = Promise.withResolvers<void>();
  const isOver = () => signal.aborted || detach.signal.aborted;
  const letGo = (by: 'keys' | 'end') => {
    detach.abort();
    if (by === 'keys') tellDetached(peers, containerId, open.id);
  };
  // As in Docker the head goes first, alone: there are clients that read ahead, and lose what comes in one piece with it.
  const { input, output } = exchange.hijack(type);

  async function* framesUp(): AsyncGenerator<ExecStartRequest> {
    yield* opening(open);
    if (open.stdin) yield* inputFrames(input, terms, letGo);
    else input.resume();
    // The end of the requests is the call's, not the input's.
    await ended.promise;
  }

  try {
    const frames = peers.execs
      .execStart(framesUp(), { signal: AbortSignal.any([signal, detach.signal]) })
      [Symbol.asyncIterator]();
    try {
      await standing(frames);
    } catch (error) {
      // Clients look here for what was wrong, and at the exit code.
      const words = Buffer.from(`${messageOf(error)}\r\n`);
      if (!isOver()) output.write(raw ? words : frame(stdout, words));
      input.resume();
      hangUp(output);
      return;
    }
    await passDown(frames, output, { raw, isOver });
  } finally {
    ended.resolve();
  }
}
