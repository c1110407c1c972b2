import { Worker } from 'node:worker_threads';
import { fromText } from '../../../kit/archive/bytes.ts';
import { BadArchive } from '../../../kit/archive/entry.ts';
import { errors } from '../errors.ts';
import type { Failure, FromWorker, JobName, Jobs, ToWorker } from './jobs.ts';
import { Cancelled, NoArchive } from './run-job.ts';

/** Runs jobs in worker threads: a few at a time, the others wait. Threads come with the first job and go when they are idle. */
export interface WorkerPool {
  /** Runs a job that gives one result. Throws BadArchive, NoArchive, Cancelled, or an Error with the system's code. */
  run<Name extends JobName>(
    name: Name,
    request: Jobs[Name]['request'],
    options?: { input?: AsyncIterable<Uint8Array>; signal?: AbortSignal },
  ): Promise<Jobs[Name]['result']>;
  /** Runs a job that gives values, one by one as they are taken. Leaving the iteration cancels it. */
  stream<Name extends JobName>(
    name: Name,
    request: Jobs[Name]['request'],
    signal?: AbortSignal,
  ): AsyncGenerator<Jobs[Name]['output'], void, undefined>;
  /** Threads that live. */
  readonly size: number;
  /** Ends all threads; their jobs fail. */
  stop(): Promise<void>;
}

export interface WorkerPoolOptions {
  /** Threads at most. */
  threads?: number;
  /** How long an idle thread lives. */
  idleMs?: number;
}

interface Thread {
  worker: Worker;
  idle: NodeJS.Timeout | undefined;
}

export function createWorkerPool({ threads = 2, idleMs = 5000 }: WorkerPoolOptions = {}): WorkerPool {
  const all = new Set<Thread>();
  const free: Thread[] = [];
  const waiting: { resolve(thread: Thread): void; reject(error: unknown): void }[] = [];
  let isStopped = false;

  function startThread(): Thread {
    // The kernel seam opens descriptors that Node's own bookkeeping knows nothing of.
    const options = { name: 'layer files', trackUnmanagedFds: false };
    const worker = new Worker(new URL('../layer-worker.ts', import.meta.url), options);
    const thread: Thread = { worker, idle: undefined };
    // Failures are told to the job that meets them (`converse`).
    worker.on('error', () => undefined);
    worker.once('exit', () => forget(thread));
    all.add(thread);
    return thread;
  }

  function forget(thread: Thread): void {
    all.delete(thread);
    const index = free.indexOf(thread);
    if (index !== -1) free.splice(index, 1);
  }

  function retire(thread: Thread): void {
    // At once, not when it has exited: nobody may be given a thread that is about to end.
    forget(thread);
    void thread.worker.terminate();
  }

  async function take(): Promise<Thread> {
    if (isStopped) throw errors.stopping();
    const thread = free.pop();
    if (thread !== undefined) {
      clearTimeout(thread.idle);
      thread.worker.ref();
      return thread;
    }
    if (all.size < threads) return startThread();
    return new Promise((resolve, reject) => waiting.push({ resolve, reject }));
  }

  function giveBack(thread: Thread): void {
    const next = waiting.shift();
    if (!all.has(thread)) {
      next?.resolve(startThread());
      return;
    }
    if (next !== undefined) {
      next.resolve(thread);
      return;
    }
    free.push(thread);
    // An idle thread keeps no process alive.
    thread.worker.unref();
    thread.idle = setTimeout(() => retire(thread), idleMs).unref();
  }

  async function* converse(
    name: JobName,
    request: unknown,
    input: AsyncIterable<Uint8Array> | undefined,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<unknown, unknown, undefined> {
    const thread = await take();
    const messages = openMailbox(thread.worker);
    const send = (message: ToWorker) => thread.worker.postMessage(message);
    const cancel = () => send({ type: 'cancel' });
    const pieces = input?.[Symbol.asyncIterator]();
    // Nothing to wait for before the job is sent.
    let isOver = true;
    try {
      signal?.throwIfAborted();
      send({ type: 'job', name, request });
      isOver = false;
      signal?.addEventListener('abort', cancel, { once: true });
      while (true) {
        const message = await messages.next();
        switch (message.type) {
          case 'more input':
            void nextPiece(pieces).then(send, (error: unknown) => messages.fail(error));
            break;
          case 'output':
            yield message.value;
            send({ type: 'more output' });
            break;
          case 'done':
            isOver = true;
            return message.result;
          default:
            isOver = true;
            throw errorOf(message.failure);
        }
      }
    } finally {
      signal?.removeEventListener('abort', cancel);
      if (!isOver && all.has(thread)) {
        cancel();
        await messages.end();
      }
      messages.close();
      giveBack(thread);
      void pieces?.return?.();
    }
  }

  return {
    get size() {
      return all.size;
    },
    async run(name, request, { input, signal } = {}) {
      const conversation = converse(name, request, input, signal);
      while (true) {
        const step = await conversation.next();
        if (step.done === true) return step.value as Jobs[typeof name]['result'];
      }
    },
    async *stream(name, request, signal) {
      for await (const value of converse(name, request, undefined, signal)) yield value as Jobs[typeof name]['output'];
    },
    async stop() {
      isStopped = true;
      for (const { reject } of waiting.splice(0)) reject(errors.stopping());
      const ended = Array.from(all, ({ worker }) => {
        // Without a reference to one that was idle, the process would end before this does.
        worker.ref();
        return worker.terminate();
      });
      await Promise.all(ended);
    },
  };
}

async function nextPiece(pieces: AsyncIterator<Uint8Array> | undefined): Promise<ToWorker> {
  const next = await pieces?.next();
  return next === undefined || next.done === true ? { type: 'end of input' } : { type: 'input', piece: next.value };
}

/** The messages of one job, in order. */
interface Mailbox {
  next(): Promise<FromWorker>;
  /** Makes the present and every later `next` throw. */
  fail(error: unknown): void;
  /** Resolves when the job is over, whatever it still says. */
  end(): Promise<void>;
  close(): void;
}

function openMailbox(worker: Worker): Mailbox {
  const waiting: FromWorker[] = [];
  let failure: { error: unknown } | undefined;
  let isGone = false;
  let wake: (() => void) | undefined;
  const onMessage = (message: FromWorker) => {
    waiting.push(message);
    wake?.();
  };
  const onError = (error: unknown) => {
    isGone = true;
    failure ??= { error };
    wake?.();
  };
  const onExit = () => onError(errors.stopping());
  worker.on('message', onMessage);
  worker.on('error', onError);
  worker.on('exit', onExit);
  const changed = () =>
    new Promise<void>((resolve) => {
      wake = resolve;
    });
  return {
    async next() {
      while (true) {
        if (failure !== undefined) throw failure.error;
        const message = waiting.shift();
        if (message !== undefined) return message;
        await changed();
      }
    },
    fail(error) {
      failure ??= { error };
      wake?.();
    },
    async end() {
      while (!isGone) {
        const message = waiting.shift();
        if (message?.type === 'done' || message?.type === 'failed') return;
        if (message === undefined) await changed();
      }
    },
    close() {
      worker.off('message', onMessage);
      worker.off('error', onError);
      worker.off('exit', onExit);
    },
  };
}

function errorOf(failure: Failure): Error {
  switch (failure.kind) {
    case 'bad archive':
      return new BadArchive(fromText(failure.entry), failure.problem);
    case 'no archive':
      return new NoArchive();
    case 'cancelled':
      return new Cancelled();
    default:
      return Object.assign(new Error(failure.message), failure.code === undefined ? {} : { code: failure.code });
  }
}
