import { parentPort, workerData } from 'node:worker_threads';
import { toText } from '../../../kit/archive/bytes.ts';
import { BadArchive } from '../../../kit/archive/entry.ts';
import { isServiceError, messageOf } from '../../../kit/errors.ts';
import { rootOf } from '../../../kit/id-maps.ts';
import { becomeFileOwner } from '../../../kit/linux/credentials.ts';
import { closeDescriptor } from '../../../kit/linux/libc.ts';
import { enterView } from '../../../kit/linux/private-view.ts';
import { hasCode } from '../../../kit/linux/system-error.ts';
import type { IdMaps } from '../../../proto/gen/longshore/contract/v1/id_maps.ts';
import type { FilesFailure, FilesJob, FilesWork, FromThread, ToThread } from './job.ts';
import { filesPath } from './path.ts';
import { readFiles } from './read.ts';
import { statFile } from './stat.ts';
import { NotADirectory, ReadOnlyPlace, writeFiles } from './write.ts';

/**
 * The thread that works on the files of one container, in a view of its own; started by threads.ts. Everything that it needs
 * is imported above: from the view nothing can be loaded.
 */
const port = parentPort;
if (port !== null) {
  const { view, job, idMaps } = workerData as FilesWork;
  const inbox = openInbox();
  port.on('message', inbox.deliver);
  const send = (message: FromThread, ...transfer: ArrayBuffer[]) => port.postMessage(message, transfer);
  const work = async () => {
    // What is made for a container is its root's from the first moment; the thread ends with its work.
    if (idMaps !== undefined) becomeFileOwner(rootOf(idMaps));
    const root = enterView(view);
    try {
      await run(root, job, idMaps, inbox, send);
    } finally {
      closeDescriptor(root);
    }
  };
  work()
    .then(
      () => send({ type: 'done' }),
      (error: unknown) => {
        if (!(error instanceof Cancelled)) send({ type: 'failed', failure: failureOf(error) });
      },
    )
    .finally(() => port.close());
}

type Send = (message: FromThread, ...transfer: ArrayBuffer[]) => void;

async function run(root: number, job: FilesJob, idMaps: IdMaps | undefined, inbox: Inbox, send: Send): Promise<void> {
  if (job.kind === 'write') {
    await writeFiles(root, job, idMaps, piecesOf(inbox, send));
    return;
  }
  const path = filesPath(job.path);
  send({ type: 'file', file: statFile(root, path) });
  if (job.kind === 'stat') return;
  for (const frame of readFiles(root, path, job.isBare, idMaps)) {
    // A small one is a part of Node's pool, which stays here.
    const isOwn = frame.byteLength === frame.buffer.byteLength;
    send({ type: 'chunk', bytes: frame }, ...(isOwn ? [frame.buffer] : []));
    await inbox.next();
  }
}

async function* piecesOf(inbox: Inbox, send: Send): AsyncGenerator<Buffer, void> {
  while (true) {
    send({ type: 'give' });
    const message = await inbox.next();
    if (message.type !== 'chunk') return;
    const { bytes } = message;
    yield Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }
}

class Cancelled extends Error {
  override readonly name = 'Cancelled';
}

interface Inbox {
  deliver(message: ToThread): void;
  /** The next message; rejects with Cancelled. */
  next(): Promise<ToThread>;
}

function openInbox(): Inbox {
  const waiting: ToThread[] = [];
  let isCancelled = false;
  let wake = () => {};
  return {
    deliver(message) {
      if (message.type === 'cancel') isCancelled = true;
      else waiting.push(message);
      wake();
    },
    async next() {
      while (!isCancelled) {
        const message = waiting.shift();
        if (message !== undefined) return message;
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      throw new Cancelled();
    },
  };
}

function failureOf(error: unknown): FilesFailure {
  if (error instanceof BadArchive) return { kind: 'bad archive', entry: toText(error.entry), problem: error.problem };
  if (error instanceof ReadOnlyPlace) return { kind: 'read-only', isRoot: error.isRoot };
  if (error instanceof NotADirectory) return { kind: 'not a directory' };
  if (isServiceError(error, 'UNKNOWN_USER')) return { kind: 'unknown user', detail: error.message };
  if (hasCode(error, 'ENOENT', 'ENOTDIR')) return { kind: 'not found' };
  return { kind: 'refused', detail: messageOf(error) };
}
