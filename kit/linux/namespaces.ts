import { access, statfsSync, unlinkSync } from 'node:fs';
import { FilesystemType } from './files.ts';
import { check, closeDescriptor, libc, OpenFlag, openDescriptor } from './libc.ts';
import { createMounts, MountFlag } from './mounts.ts';
import { hasCode, SystemError } from './system-error.ts';

/**
 * Network namespaces that live on without a process: each is pinned by a bind mount on a file (`path`).
 *
 * Only the calling thread changes its namespace, and only until the call returns. What a thread starts inside is born
 * there: child processes, but worker threads too, so start none of those in `run`. Calls work the same in a worker.
 */
export interface NetworkNamespaces {
  /** Makes a namespace and pins it on the file, which is made too. Leaves a namespace that is pinned there already. */
  create(path: string): void;
  /** Lets the namespace go, with its interfaces, as soon as nobody is in it. Nothing happens when it is gone. */
  remove(path: string): void;
  /** True when a namespace is pinned on the file. */
  exists(path: string): boolean;
  /** Runs `action` inside the namespace and comes back, also after an error. A promise is refused: it would go on outside. */
  run<Result>(path: string, action: () => Result): Result;
}

const CLONE_NEWNET = 0x40000000;
const OWN = '/proc/thread-self/ns/net';
const ENOENT = 2;
const mounts = createMounts();

/** Does something that changes this thread's namespace, then returns to where the thread was. */
function thereAndBack<Result>(leave: () => void, action: () => Result): Result {
  const home = openDescriptor(OWN, OpenFlag.RDONLY);
  try {
    leave();
    try {
      return action();
    } finally {
      check(libc.setns(home, CLONE_NEWNET), 'setns', OWN);
    }
  } finally {
    closeDescriptor(home);
  }
}

function enter(path: string): void {
  const fd = openDescriptor(path, OpenFlag.RDONLY);
  try {
    check(libc.setns(fd, CLONE_NEWNET), 'setns', path);
  } finally {
    closeDescriptor(fd);
  }
}

function exists(path: string): boolean {
  try {
    return statfsSync(path).type === FilesystemType.NSFS;
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return false;
    throw error;
  }
}

function create(path: string): void {
  if (exists(path)) return;
  closeDescriptor(openDescriptor(path, OpenFlag.CREAT | OpenFlag.RDONLY | OpenFlag.NOFOLLOW, 0o444));
  thereAndBack(
    () => check(libc.unshare(CLONE_NEWNET), 'unshare', path),
    () => mounts.mount(OWN, path, '', MountFlag.BIND),
  );
}

function remove(path: string): void {
  while (mounts.unmount(path, { detach: true }));
  try {
    unlinkSync(path);
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
  }
}

function run<Result>(path: string, action: () => Result): Result {
  if (!exists(path)) throw new SystemError('setns', ENOENT, path, 'no network namespace is pinned there');
  const result = thereAndBack(() => enter(path), action);
  if (result instanceof Promise) {
    result.catch(() => {});
    throw new TypeError('an action inside a network namespace must be synchronous; this one returned a promise');
  }
  return result;
}

/** The real namespaces. */
export function createNetworkNamespaces(): NetworkNamespaces {
  // libuv starts its threads at the first asynchronous call. Were that one made inside a namespace, they would stay there.
  access('/', () => {});
  return { create, remove, exists, run };
}
