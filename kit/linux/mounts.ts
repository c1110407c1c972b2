import { close, closeSync, constants, openSync, readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { check, closeDescriptor, cpath, errno, libc, syscall } from './libc.ts';
import { type Mount, parseMountinfo } from './mountinfo.ts';
import { mountOverlay, type Overlay } from './overlay.ts';
import { hasCode, SystemError } from './system-error.ts';

/** Flags of mount(2). */
export const MountFlag = {
  RDONLY: 0x1,
  NOSUID: 0x2,
  NODEV: 0x4,
  NOEXEC: 0x8,
  REMOUNT: 0x20,
  NOATIME: 0x400,
  BIND: 0x1000,
  REC: 0x4000,
  PRIVATE: 0x40000,
  SLAVE: 0x80000,
  SHARED: 0x100000,
} as const;

const EINVAL = 22;
const ENOENT = 2;
const E2BIG = 7;

export type BindOptions = {
  readonly readOnly?: boolean;
  /** Also what is mounted below the source. */
  readonly recursive?: boolean;
};

export type UnmountOptions = {
  /** Take it out of the tree at once and let it end when its last user has gone (MNT_DETACH). */
  readonly detach?: boolean;
};

/** The mount table of this process's mount namespace. Every call is one or a few system calls; refusals are SystemErrors. */
export interface Mounts {
  /** mount(2). `flags` are MountFlag values or-ed; `data` is at most 4095 bytes. Don't use it for nfs or fuse: it may hang. */
  mount(source: string, target: string, type: string, flags?: number, data?: string): void;
  /** Mounts an overlay of any number of lower directories (the kernel allows 500). */
  mountOverlay(overlay: Overlay): void;
  /** Shows a file or directory at another place. A read-only bind appears read-only, never writable in between. */
  bind(source: string, target: string, options?: BindOptions): void;
  /** Unmounts the topmost mount at target, never through a symlink. False when nothing is mounted there. */
  unmount(target: string, options?: UnmountOptions): boolean;
  /**
   * Like `unmount` with `detach`, where the end of the file system may take long: an overlay's writes out all that the file
   * system below it has in memory, whoever it is from. Another thread does that; resolves when it is over. Undefined when
   * nothing is mounted there.
   */
  detach(target: string): Promise<void> | undefined;
  /** Ends propagation for target and everything mounted below it. Target must be a mount point. */
  makePrivate(target: string): void;
  /** Mounts made below target from now on appear in all its peers and slaves. Target must be a mount point. */
  makeShared(target: string): void;
  /** All mounts, or those at `under` and below it, parents before children. */
  list(under?: string): Mount[];
}

function mount(source: string, target: string, type: string, flags = 0, data = ''): void {
  // The kernel silently cuts data at a page: half an option string would be a different mount.
  if (Buffer.byteLength(data) > 4095) throw new SystemError('mount', E2BIG, target, 'mount data over 4095 bytes');
  const arguments_ = [source, target, type, data].map((text) => cpath(text, 'mount'));
  const [from = '', to = '', kind = '', options = ''] = arguments_;
  check(libc.mount(from, to, kind, BigInt(flags), options), 'mount', target);
}

const AT_FDCWD = -100;
const AT_RECURSIVE = 0x8000;
const AT_EMPTY_PATH = 0x1000;
const OPEN_TREE_CLONE = 1;
const OPEN_TREE_CLOEXEC = 0o2000000;
const MOVE_MOUNT_F_EMPTY_PATH = 4;
const MOVE_MOUNT_T_EMPTY_PATH = 0x40;
const MOUNT_ATTR_RDONLY = 1n;
const MOUNT_ATTR_IDMAP = 0x100000n;

/** Copies a mount out of everybody's sight. Returns a descriptor, which the caller closes; shown nowhere, it goes with that. */
export function copyMount(source: string, options: BindOptions = {}): number {
  const recursive = options.recursive ? AT_RECURSIVE : 0;
  const flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | recursive;
  const tree = check(syscall('open_tree', AT_FDCWD, cpath(source, 'bind'), flags), 'bind', source);
  try {
    if (options.readOnly) setReadOnly(tree, source, recursive);
    return tree;
  } catch (error) {
    closeDescriptor(tree);
    throw error;
  }
}

/** Makes a mount that is open read-only (mount_setattr(2), Linux 5.12). */
export function setReadOnly(mount: number, shown: string, flags = 0): void {
  const attributes = Buffer.alloc(32); // struct mount_attr { attr_set, attr_clr, propagation, userns_fd }
  attributes.writeBigUInt64LE(MOUNT_ATTR_RDONLY, 0);
  check(
    syscall('mount_setattr', mount, '', AT_EMPTY_PATH | flags, attributes, attributes.length),
    'mount_setattr',
    shown,
  );
}

/** Makes a mount that is open show files as the maps of a user namespace have them (Linux 5.12). */
export function setIdMap(mount: number, userNamespace: number, shown: string): void {
  const attributes = Buffer.alloc(32);
  attributes.writeBigUInt64LE(MOUNT_ATTR_IDMAP, 0);
  attributes.writeBigUInt64LE(BigInt(userNamespace), 24);
  const set = syscall('mount_setattr', mount, '', AT_EMPTY_PATH, attributes, attributes.length);
  check(set, 'mount_setattr', shown);
}

/** Shows a copied mount over a file or directory, given by a path or an open descriptor (which may be O_PATH). */
export function showMount(tree: number, target: string | number): void {
  const moved =
    typeof target === 'number'
      ? syscall('move_mount', tree, '', target, '', MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH)
      : syscall('move_mount', tree, '', AT_FDCWD, cpath(target, 'bind'), MOVE_MOUNT_F_EMPTY_PATH);
  check(moved, 'bind', typeof target === 'number' ? undefined : target);
}

function bind(source: string, target: string, options: BindOptions = {}): void {
  const tree = copyMount(source, options);
  try {
    showMount(tree, target);
  } finally {
    closeDescriptor(tree);
  }
}

const MNT_DETACH = 2;
const UMOUNT_NOFOLLOW = 8;

function unmount(target: string, options: UnmountOptions = {}): boolean {
  const flags = UMOUNT_NOFOLLOW | (options.detach ? MNT_DETACH : 0);
  if (libc.umount2(cpath(target, 'umount'), flags) === 0) return true;
  const error = errno();
  // umount2(2): EINVAL is 'not a mount point'.
  if (error === EINVAL || error === ENOENT) return false;
  throw new SystemError('umount', error, target);
}

const O_PATH = 0o10000000;
const closed = promisify(close);
/** One at a time, so that they take one thread: the first has written for those that come meanwhile. */
let ending: Promise<void> = Promise.resolve();

function detach(target: string): Promise<void> | undefined {
  let held: number;
  try {
    held = openSync(target, O_PATH | constants.O_NOFOLLOW);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
  let isDetached = false;
  try {
    isDetached = unmount(target, { detach: true });
  } finally {
    if (!isDetached) closeSync(held);
  }
  if (!isDetached) return undefined;
  // The last one who holds the mount ends its file system, in close(2).
  ending = ending.then(() => closed(held).catch(() => undefined));
  return ending;
}

function setPropagation(target: string, flag: number): void {
  check(libc.mount('none', cpath(target, 'mount'), null, BigInt(flag | MountFlag.REC), null), 'mount', target);
}

/** The real mount table. */
export function createMounts(): Mounts {
  return {
    mount,
    mountOverlay,
    bind,
    unmount,
    detach,
    makePrivate: (target) => setPropagation(target, MountFlag.PRIVATE),
    makeShared: (target) => setPropagation(target, MountFlag.SHARED),
    list: (under) => parseMountinfo(readFileSync('/proc/self/mountinfo', 'utf8'), under),
  };
}
