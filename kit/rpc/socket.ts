import { chmod, chown, lstat, mkdir, readFile, rename, rm, rmdir, unlink } from 'node:fs/promises';
import { connect } from 'node:net';
import { basename, dirname, join } from 'node:path';
import { defineErrors } from '../errors.ts';

const errors = defineErrors('kit', {
  socketInUse: {
    code: 'FAILED_PRECONDITION',
    message: (m: { path: string }) => `another program answers at ${m.path}`,
  },
  notASocket: {
    code: 'FAILED_PRECONDITION',
    message: (m: { path: string }) => `${m.path} exists and is not a socket: it is left alone`,
  },
  socketPathTooLong: {
    code: 'INVALID_ARGUMENT',
    message: (m: { path: string; limit: number }) =>
      `${m.path} is longer than the ${m.limit} bytes a socket's path may have`,
  },
  noSuchGroup: {
    code: 'INVALID_ARGUMENT',
    message: (m: { group: string }) => `there is no group ${m.group} in /etc/group`,
  },
});

/** sun_path holds 108 bytes with the closing zero; see unix(7). */
const longestPath = 107;

/**
 * Lets `bind` make a socket and puts it at `path`: mode 0660 and the group are set while nobody can reach it yet, since a
 * umask is the whole process's. A stale socket there is replaced; one that answers is not. Returns how to take it away.
 */
export async function placeSocket(
  path: string,
  group: string | undefined,
  bind: (path: string) => Promise<unknown>,
): Promise<() => Promise<void>> {
  const workshop = join(dirname(path), `.${basename(path)}.new`);
  const made = join(workshop, 's');
  for (const each of [path, made]) {
    if (Buffer.byteLength(each) > longestPath) throw errors.socketPathTooLong({ path: each, limit: longestPath });
  }
  const groupId = group === undefined ? undefined : await groupIdOf(group);
  await refuseLiving(path);

  // 0711: members of the group pass through to the sockets, and nobody lists what else is there.
  await mkdir(dirname(path), { recursive: true, mode: 0o711 });
  await rm(workshop, { recursive: true, force: true });
  await mkdir(workshop, { mode: 0o700 });
  await bind(made);
  await chmod(made, 0o660);
  if (groupId !== undefined) await chown(made, -1, groupId);
  await rename(made, path);
  await rmdir(workshop);

  const { dev, ino } = await lstat(path);
  return async () => {
    const now = await lstat(path).catch(() => undefined);
    // A successor may have put its own there.
    if (now?.dev === dev && now.ino === ino) await unlink(path);
  };
}

async function refuseLiving(path: string): Promise<void> {
  const found = await lstat(path).catch(() => undefined);
  if (found === undefined) return;
  if (!found.isSocket()) throw errors.notASocket({ path });
  if (await answers(path)) throw errors.socketInUse({ path });
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNREFUSED' || error.code === 'ENOENT') resolve(false);
      // EAGAIN: its backlog is full, so somebody is there.
      else if (error.code === 'EAGAIN') resolve(true);
      else reject(error);
    });
  });
}

async function groupIdOf(group: string): Promise<number> {
  if (/^\d+$/.test(group)) return Number(group);
  // group(5): name:password:id:members
  for (const line of (await readFile('/etc/group', 'utf8')).split('\n')) {
    const [name, , id] = line.split(':');
    if (name === group && id !== undefined) return Number(id);
  }
  throw errors.noSuchGroup({ group });
}
