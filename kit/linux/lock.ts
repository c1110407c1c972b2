import { once } from 'node:events';
import { statSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { streamOver } from './stream.ts';
import { hasCode } from './system-error.ts';
import { connectUnix, peerPid, SOCK_STREAM } from './unix-socket.ts';

/** Another process holds the directory's lock; `owner` is missing if it doesn't say in time, `pid` if we may not see it. */
export class DirectoryLocked extends Error {
  readonly directory: string;
  declare readonly pid?: number;
  declare readonly owner?: string;

  constructor(directory: string, holder: Holder = {}) {
    const who = [holder.owner, holder.pid === undefined ? undefined : `pid ${holder.pid}`].filter(Boolean).join(', ');
    super(`${directory} is in use by another process${who ? ` (${who})` : ''}`);
    this.name = 'DirectoryLocked';
    this.directory = directory;
    if (holder.pid !== undefined) this.pid = holder.pid;
    if (holder.owner !== undefined) this.owner = holder.owner;
  }
}

export type DirectoryLock = {
  /** Lets others have the directory. May be repeated. */
  release(): Promise<void>;
};

type Holder = { readonly pid?: number; readonly owner?: string };

const ANSWER_TIMEOUT_MS = 500;
const ANSWER_MAX_BYTES = 1024;
const ATTEMPTS = 3;

/**
 * An abstract unix socket (unix(7)) has one owner a network namespace and vanishes with its process, whatever kills it.
 * Device and inode name the directory by whichever path it is reached.
 */
function socketName(directory: string): string {
  const { dev, ino } = statSync(directory, { bigint: true });
  return `\0longshore-lock-${dev}-${ino}`;
}

async function listen(name: string, answer: string): Promise<Server | undefined> {
  // The answer fits the socket's buffer: no reader, slow or gone, keeps us.
  const server = createServer((client) => {
    client.on('error', () => {}).end(answer, () => client.destroy());
  });
  server.listen(name);
  try {
    await once(server, 'listening');
  } catch (error) {
    if (hasCode(error, 'EADDRINUSE')) return undefined;
    throw error;
  }
  server.unref();
  return server;
}

async function answerOf(socket: Socket): Promise<string> {
  let answer = '';
  try {
    for await (const chunk of socket) {
      answer += String(chunk);
      if (answer.length > ANSWER_MAX_BYTES) break;
    }
  } catch {
    // It took too long: the process hangs, or is stopped.
  }
  return answer;
}

/** Asks who holds the lock: the kernel for the pid, the process for its role. Undefined when nobody does any more. */
async function askHolder(name: string, directory: string): Promise<Holder | undefined> {
  let fd: number;
  try {
    fd = connectUnix(SOCK_STREAM, Buffer.from(name), directory);
  } catch (error) {
    if (hasCode(error, 'ECONNREFUSED')) return undefined;
    return {}; // EAGAIN: it hangs, and many have asked before
  }
  const pid = peerPid(fd);
  const socket = streamOver(fd, { readable: true });
  socket.setTimeout(ANSWER_TIMEOUT_MS, () => socket.destroy());
  const owner = await answerOf(socket);
  socket.destroy();
  return { ...(pid === undefined ? {} : { pid }), ...(owner === '' ? {} : { owner }) };
}

/**
 * Takes the exclusive lock of a directory, which must exist, until release or the death of this process. `owner` is
 * what others are told about us: `longshore daemon`. Throws DirectoryLocked when it is held, also by this process.
 */
export async function lockDirectory(directory: string, owner: string): Promise<DirectoryLock> {
  const name = socketName(directory);
  for (let attempt = 1; ; attempt++) {
    const server = await listen(name, owner);
    if (server) {
      return {
        release: () => new Promise((resolve) => server.close(() => resolve())),
      };
    }
    const holder = await askHolder(name, directory);
    // Gone between our two questions: the lock may be free now.
    if (holder || attempt === ATTEMPTS) throw new DirectoryLocked(directory, holder);
  }
}
