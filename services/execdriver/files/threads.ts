import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import type { ViewPlan } from '../../../kit/linux/private-view.ts';
import type { IdMaps } from '../../../proto/gen/longshore/contract/v1/id_maps.ts';
import { errors } from '../errors.ts';
import type { FilesFailure, FilesJob, FilesWork, FromThread, ToThread } from './job.ts';

/** What is wanted of a container's files. */
export interface FilesRequest {
  /** As messages name the container. */
  container: string;
  view: Omit<ViewPlan, 'workplace'>;
  job: FilesJob;
  /** Of the container; undefined: its users and groups are the host's. */
  idMaps?: IdMaps | undefined;
  /** Of a write: the archive. */
  archive?: AsyncIterator<Uint8Array>;
  signal: AbortSignal;
}

/** Each call has a thread of its own, which sees the container's files alone and ends with the call. */
export interface FilesThreads {
  run(request: FilesRequest): AsyncGenerator<Extract<FromThread, { type: 'file' | 'chunk' }>, void>;
}

export interface FilesThreadsOptions {
  /** An empty directory, made here. */
  workplace: string;
  /** Threads for one container; those that wait for a mount that hangs don't keep up the others' for ever. */
  perContainer?: number;
  /** How long a view and a first answer may take. */
  patienceMs?: number;
}

/** How long a thread may take to let go, before the caller is told that it is over. */
const farewellMs = 2000;

export function openFilesThreads(options: FilesThreadsOptions): FilesThreads {
  const { workplace, perContainer = 4, patienceMs = 20_000 } = options;
  const queues = new Map<string, { running: number; waiting: (() => void)[] }>();

  async function turnOf(root: string, signal: AbortSignal): Promise<Disposable> {
    const queue = queues.get(root) ?? { running: 0, waiting: [] };
    queues.set(root, queue);
    while (queue.running >= perContainer) {
      const turn = Promise.withResolvers<void>();
      queue.waiting.push(turn.resolve);
      await Promise.race([turn.promise, once(signal, 'abort')]);
      signal.throwIfAborted();
    }
    queue.running += 1;
    return {
      [Symbol.dispose]() {
        queue.running -= 1;
        if (queue.running === 0 && queue.waiting.length === 0) queues.delete(root);
        // Whoever has given up meanwhile takes no turn: all look.
        for (const wake of queue.waiting.splice(0)) wake();
      },
    };
  }

  return {
    async *run({ container, view, job, idMaps, archive, signal }) {
      signal.throwIfAborted();
      const turn = await turnOf(view.root, signal);
      mkdirSync(workplace, { recursive: true, mode: 0o700 });
      const workerData: FilesWork = { view: { ...view, workplace }, job, idMaps };
      // The kernel seam opens descriptors that Node's own bookkeeping knows nothing of.
      const thread = new Worker(new URL('./files-worker.ts', import.meta.url), {
        name: 'container files',
        workerData,
        trackUnmanagedFds: false,
      });
      const gone = new Promise<void>((resolve) => thread.once('exit', () => resolve()));
      // Only when it has gone: one that hangs still counts.
      void gone.then(() => turn[Symbol.dispose]());
      const mailbox = openMailbox(thread);
      const send = (message: ToThread) => thread.postMessage(message);
      const giveUp = () => mailbox.fail(signal.reason);
      const slow = setTimeout(
        () => mailbox.fail(errors.filesUnresponsive({ container, seconds: patienceMs / 1000 })),
        patienceMs,
      );
      signal.addEventListener('abort', giveUp, { once: true });
      if (signal.aborted) giveUp();
      try {
        while (true) {
          const message = await mailbox.next();
          clearTimeout(slow);
          switch (message.type) {
            case 'file':
              yield message;
              break;
            case 'chunk':
              yield message;
              send({ type: 'more' });
              break;
            case 'give':
              send(await nextPiece(archive));
              break;
            case 'failed':
              throw errorOf(message.failure, container, job);
            default:
              return;
          }
        }
      } finally {
        clearTimeout(slow);
        signal.removeEventListener('abort', giveUp);
        send({ type: 'cancel' });
        // One that hangs in the kernel ends when that lets it go; it keeps nobody waiting and no process alive.
        await Promise.race([gone, delay(farewellMs, undefined, { ref: false })]);
        thread.unref();
      }
    },
  };
}

async function nextPiece(archive: AsyncIterator<Uint8Array> | undefined): Promise<ToThread> {
  const next = await archive?.next();
  return next === undefined || next.done === true ? { type: 'end' } : { type: 'chunk', bytes: next.value };
}

interface Mailbox {
  next(): Promise<FromThread>;
  /** What waits, and whoever comes later, is told this. */
  fail(error: unknown): void;
}

function openMailbox(thread: Worker): Mailbox {
  const waiting: FromThread[] = [];
  let failure: { error: unknown } | undefined;
  let wake = () => {};
  const fail = (error: unknown) => {
    failure ??= { error };
    wake();
  };
  thread.on('message', (message: FromThread) => {
    waiting.push(message);
    wake();
  });
  thread.on('error', fail);
  thread.on('exit', () => fail(new Error('the thread for the container’s files has ended early')));
  return {
    fail,
    async next() {
      while (true) {
        const message = waiting.shift();
        if (message !== undefined) return message;
        if (failure !== undefined) throw failure.error;
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    },
  };
}

function errorOf(failure: FilesFailure, container: string, { path }: FilesJob): Error {
  switch (failure.kind) {
    case 'not found':
      return errors.fileNotFound({ path, container });
    case 'not a directory':
      return errors.notADirectory({ path });
    case 'read-only':
      return errors.readOnlyFiles({ path, isRoot: failure.isRoot });
    case 'bad archive':
      return errors.badArchive({ entry: failure.entry, problem: failure.problem });
    case 'unknown user':
      return errors.unknownUser({ user: '', detail: failure.detail });
    case 'refused':
      return errors.fileAccessFailed({ path, detail: failure.detail });
  }
}
