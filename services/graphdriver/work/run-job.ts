import type { MessagePort } from 'node:worker_threads';
import { toText } from '../../../kit/archive/bytes.ts';
import { BadArchive } from '../../../kit/archive/entry.ts';
import { messageOf } from '../../../kit/errors.ts';
import type { Failure, FromWorker, JobName, Jobs, ToWorker } from './jobs.ts';

/** A job's side of the conversation. */
export interface JobContext<Name extends JobName> {
  /** Pieces from the caller, asked for one by one. */
  input(): AsyncGenerator<Jobs[Name]['input'], void, undefined>;
  /** Hands a value to the caller; resolves when there is room for the next. */
  output(value: Jobs[Name]['output']): Promise<void>;
  /** Lets messages in; throws Cancelled when the caller has given up. */
  breathe(): Promise<void>;
}

export type JobTable = {
  [Name in JobName]: (request: Jobs[Name]['request'], context: JobContext<Name>) => Promise<Jobs[Name]['result']>;
};

export class Cancelled extends Error {
  override readonly name = 'Cancelled';
}

/** The archive is not where the caller said. */
export class NoArchive extends Error {
  override readonly name = 'NoArchive';
}

/** Serves jobs from a port, one at a time, for as long as the port is open. */
export function serveJobs(port: MessagePort, jobs: JobTable): void {
  let inbox: Inbox = openInbox();
  const send = (message: FromWorker) => port.postMessage(message);
  port.on('message', (message: ToWorker) => {
    if (message.type !== 'job') {
      inbox.deliver(message);
      return;
    }
    inbox = openInbox();
    run(jobs, message.name, message.request, inbox, send).then(
      (result) => send({ type: 'done', result }),
      (error: unknown) => send({ type: 'failed', failure: failureOf(error) }),
    );
  });
}

function run(
  jobs: JobTable,
  name: JobName,
  request: unknown,
  inbox: Inbox,
  send: (message: FromWorker) => void,
): Promise<unknown> {
  const context = {
    async *input() {
      while (true) {
        send({ type: 'more input' });
        const message = await inbox.next('input');
        if (message.type !== 'input') return;
        yield message.piece;
      }
    },
    async output(value: unknown) {
      send({ type: 'output', value });
      await inbox.next('output');
    },
    async breathe() {
      await new Promise((resolve) => setImmediate(resolve));
      inbox.check();
    },
  };
  // The caller's types hold request and job together (worker-pool.ts); messages lose them.
  const job = jobs[name] as (request: unknown, context: unknown) => Promise<unknown>;
  return job(request, context);
}

/** What came for the present job. */
interface Inbox {
  deliver(message: ToWorker): void;
  /** The next message about input or output. Rejects with Cancelled. */
  next(about: 'input' | 'output'): Promise<ToWorker>;
  check(): void;
}

function openInbox(): Inbox {
  const waiting: ToWorker[] = [];
  let wake: (() => void) | undefined;
  let isCancelled = false;
  const isAbout = (message: ToWorker, about: 'input' | 'output') =>
    (message.type === 'more output') === (about === 'output');
  return {
    deliver(message) {
      if (message.type === 'cancel') isCancelled = true;
      else waiting.push(message);
      wake?.();
    },
    check() {
      if (isCancelled) throw new Cancelled();
    },
    async next(about) {
      while (true) {
        this.check();
        const index = waiting.findIndex((message) => isAbout(message, about));
        const [message] = index === -1 ? [] : waiting.splice(index, 1);
        if (message !== undefined) return message;
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    },
  };
}

function failureOf(error: unknown): Failure {
  if (error instanceof BadArchive) return { kind: 'bad archive', entry: toText(error.entry), problem: error.problem };
  if (error instanceof NoArchive) return { kind: 'no archive' };
  if (error instanceof Cancelled) return { kind: 'cancelled' };
  const code = error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
  return { kind: 'other', message: messageOf(error), code };
}
