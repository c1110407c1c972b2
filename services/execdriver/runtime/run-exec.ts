import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { closeDescriptor } from '../../../kit/linux/libc.ts';
import type { Processes } from '../../../kit/linux/spawn.ts';
import { pipe, readable } from '../../../kit/linux/stream.ts';
import { hasCode } from '../../../kit/linux/system-error.ts';
import { errors } from '../errors.ts';
import { plainEnvironment } from './programs.ts';
import type { Runtime } from './runtime.ts';

/** The files of a command that the runtime runs, in a directory of its own. */
export const processFileOf = (directory: string) => join(directory, 'process.json');
const complaintsOf = (directory: string) => join(directory, 'runtime.log');

/** What was written before the end has been read by then, unless something in the background holds the pipe open. */
const drainMs = 50;

export interface RunningExec {
  /** The runtime's own: the process is its child. */
  runtimePid: number;
  /** Settles after the end. RUNTIME_FAILED with the runtime's words when the process could not be started. */
  ended: Promise<ExecOutput>;
}

export interface ExecOutput {
  code: number;
  /** stdout and stderr as they came, the first `limit` bytes. */
  output: Buffer;
  isCut: boolean;
}

/**
 * Runs a further process in a container as a child of the runtime, which is ours: without a monitor it does not outlive us
 * unnoticed, has no terminal and no input, and costs half.
 */
export function runExec(
  processes: Processes,
  {
    runtime,
    containerId,
    directory,
    limit,
  }: { runtime: Runtime; containerId: string; directory: string; limit: number },
): RunningExec {
  const [read, write] = pipe();
  const kept = keepFirst(read, limit);
  try {
    const child = processes.spawn({
      file: runtime.path,
      args: [
        ...[...runtime.globalArguments, '--log', complaintsOf(directory)],
        ...['exec', '--process', processFileOf(directory), containerId],
      ],
      env: plainEnvironment(),
      fds: [undefined, write, write],
    });
    const ended = child.exited.then(async (code) => {
      const complaint = code === 0 ? '' : takeComplaint(directory);
      if (complaint !== '') kept.stop();
      if (complaint !== '') throw errors.runtimeFailed({ detail: complaint });
      await Promise.race([kept.ended, delay(drainMs, undefined, { ref: false })]);
      return { code, ...kept.stop() };
    });
    return { runtimePid: child.pid, ended };
  } catch (error) {
    kept.stop();
    throw error;
  } finally {
    closeDescriptor(write);
  }
}

/** Reads all, so that the writer is never held up, and keeps the beginning. */
function keepFirst(descriptor: number, limit: number) {
  const chunks: Buffer[] = [];
  let [size, isCut] = [0, false];
  const socket = readable(descriptor);
  const { promise: ended, resolve } = Promise.withResolvers<void>();
  socket.on('data', (chunk: Buffer) => {
    const room = limit - size;
    isCut ||= chunk.length > room;
    // A copy: a few bytes must not hold on to the buffer that they were read into.
    if (room > 0) chunks.push(Buffer.from(chunk.subarray(0, room)));
    size = Math.min(limit, size + chunk.length);
  });
  socket.on('error', () => {});
  socket.once('close', resolve);
  return {
    ended,
    stop() {
      socket.destroy();
      return { output: Buffer.concat(chunks), isCut };
    },
  };
}

/** The runtime writes there only when it fails itself; what its command does is told by the exit code. */
function takeComplaint(directory: string): string {
  const file = complaintsOf(directory);
  try {
    const text = readFileSync(file, 'utf8').trim();
    if (text !== '') rmSync(file, { force: true });
    return text;
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return '';
    throw error;
  }
}
