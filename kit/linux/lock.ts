import { once } from 'node:events';
import { statSync } from 'node:fs';
import { createConnection, createServer, type Server, type Socket } from 'node:net';
import { hasCode } from './system-error.ts';

/** Another process holds the directory's lock; `pid` and `owner` are missing if it doesn't say in time. */
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
  // Nobody waits for a reader that has gone.
  const server = createServer((client) => client.on('error', () => {}).end(answer));
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
  for await (const chunk of socket) {
    answer += String(chunk);
    if (answer.length > ANSWER_MAX_BYTES) break;
  }
  return answer;
}

function parseHolder(answer: string): Holder {
  const [pid, ...owner] = answer.split(' ');
  if (pid === undefined || !/^[1-9]\d*$/.test(pid)) return {};
  return { pid: Number(pid), owner: owner.join(' ') };
}

/** Asks the holder who it is. Undefined when there is none any more. */
async function askHolder(name: string): Promise<Holder | undefined> {
  const socket = createConnection(name);
  socket.setTimeout(ANSWER_TIMEOUT_MS, () => socket.destroy());
  try {
    await once(socket, 'connect');
    return parseHolder(await answerOf(socket));
  } catch (error) {
    if (hasCode(error, 'ECONNREFUSED')) return undefined;
    return {};
  } finally {
    socket.destroy();
  }
}

/**
 * Takes the exclusive lock of a directory, which must exist, until release or the death of this process. `owner` is
 * what others are told about us: `longshore daemon`. Throws DirectoryLocked when it is held, also by this process.
 */
export async function lockDirectory(directory: string, owner: string): Promise<DirectoryLock> {
  const name = socketName(directory);
  for (let attempt = 1; ; attempt++) {
    const server = await listen(name, `${process.pid} ${owner}`);
    if (server) {
      return {
        release: () => new Promise((resolve) => server.close(() => resolve())),
      };
    }
    const holder = await askHolder(name);
    // Gone between our two questions: the lock may be free now.
    if (holder || attempt === ATTEMPTS) throw new DirectoryLocked(directory, holder);
  }
}
