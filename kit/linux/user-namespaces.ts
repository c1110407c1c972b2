import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import type { IdMaps } from '../../proto/gen/longshore/contract/v1/id_maps.ts';
import { mapText } from '../id-maps.ts';
import { FilesystemType } from './files.ts';
import { createMounts, MountFlag } from './mounts.ts';
import { hasCode } from './system-error.ts';

/*
 * A process with several threads can neither make nor enter a user namespace (unshare(2), setns(2): EINVAL). So a helper of
 * util-linux does it, and waits until we have pinned what it is in.
 */

const mounts = createMounts();

/** Says that it is there, then waits for the end of its input. */
const waiting = ['sh', '-c', 'echo; read end'];

async function withHelper<Result>(
  command: readonly [string, ...string[]],
  action: (pid: number) => Result,
): Promise<Result> {
  const [file, ...args] = [...command, '--', ...waiting];
  const child = spawn(file, args, { stdio: ['pipe', 'pipe', 'pipe'], env: { PATH: process.env.PATH, LC_ALL: 'C' } });
  let complaint = '';
  child.stderr.on('data', (chunk) => {
    complaint += chunk;
  });
  // Not at its exit: what it has said may come after that.
  const ended = once(child, 'close').then(() => {
    throw new Error(`${file} failed: ${complaint.trim()}`);
  });
  ended.catch(() => {});
  child.stdin.on('error', () => {});
  try {
    await Promise.race([
      once(child.stdout, 'data'),
      ended,
      once(child, 'error').then(([error]) => Promise.reject(error)),
    ]);
    return action(child.pid ?? 0);
  } finally {
    child.stdin.end();
  }
}

/** Makes a user namespace with these maps and calls `action` with a descriptor of it, which is closed afterwards. */
export function withUserNamespace<Result>(maps: IdMaps, action: (descriptor: number) => Result): Promise<Result> {
  return withHelper(['unshare', '--user'], (pid) => {
    writeFileSync(`/proc/${pid}/uid_map`, mapText(maps.uids));
    writeFileSync(`/proc/${pid}/gid_map`, mapText(maps.gids));
    const descriptor = openSync(`/proc/${pid}/ns/user`, 'r');
    try {
      return action(descriptor);
    } finally {
      closeSync(descriptor);
    }
  });
}

/** Makes a user namespace and pins it on a file. What is pinned there already stays. */
export async function pinUserNamespace(path: string, maps: IdMaps): Promise<void> {
  if (isPinned(path)) return;
  await withUserNamespace(maps, (descriptor) => pin(`/proc/self/fd/${descriptor}`, path));
}

/** Makes a network namespace that belongs to a pinned user namespace, and pins it. What is pinned there already stays. */
export async function pinNetworkNamespace(path: string, userNamespace: string): Promise<void> {
  if (isPinned(path)) return;
  const command = ['nsenter', `--user=${userNamespace}`, 'unshare', '--net'] as const;
  await withHelper([...command], (pid) => pin(`/proc/${pid}/ns/net`, path));
}

/** Lets go of what is pinned on a file, and of the file. */
export function unpin(path: string): void {
  while (mounts.unmount(path, { detach: true }));
  rmSync(path, { force: true });
}

function pin(namespace: string, path: string): void {
  writeFileSync(path, '', { mode: 0o444 });
  mounts.mount(namespace, path, '', MountFlag.BIND);
}

function isPinned(path: string): boolean {
  try {
    return statfsSync(path).type === FilesystemType.NSFS;
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return false;
    throw error;
  }
}
