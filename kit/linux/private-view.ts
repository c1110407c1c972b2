import { mkdirSync, statSync } from 'node:fs';
import { mkdirAt } from './directory-entries.ts';
import { ffi } from './ffi.ts';
import { check, closeDescriptor, libc, OpenFlag, openDescriptor } from './libc.ts';
import { copyMount, createMounts, MountFlag, setReadOnly, showMount } from './mounts.ts';
import { openBeneath, openInRoot } from './openat2.ts';
import { hasCode } from './system-error.ts';

const { functions: more } = ffi.dlopen('libc.so.6', {
  pivot_root: { arguments: ['pointer', 'pointer'], return: 'int32' },
  chdir: { arguments: ['pointer'], return: 'int32' },
});

const CLONE_NEWNS = 0x20000;
const MNT_DETACH = 2;

/** A tree with other trees and files shown at places in it. */
export interface ViewPlan {
  /** Absolute. */
  root: string;
  readOnlyRoot: boolean;
  /** Outer places first. */
  mounts: readonly ViewMount[];
  /** An absolute path of an empty directory of ours. */
  workplace: string;
}

export interface ViewMount {
  /** Absolute; left out when it is not there. */
  source: string;
  /** In the tree; made when it is missing. Symlinks on the way stay inside. */
  destination: string;
  readOnly: boolean;
}

/** Where the thread finds the tree afterwards. */
export const viewPath = '/root';

/**
 * Gives the calling thread a mount namespace of its own, in which there is nothing but the tree, at `viewPath`, and /proc.
 * For a worker thread that ends when its work is done: the kernel then takes all of it away, whatever became of the thread.
 * There is no way back. Only synchronous calls of `node:fs` are made by this thread; the others go to threads that see the host.
 * Nothing must be loaded afterwards: the thread's `/` is empty but for these two. Gives a descriptor of the tree's root.
 */
export function enterView({ root, readOnlyRoot, mounts, workplace }: ViewPlan): number {
  const kernel = createMounts();
  check(libc.unshare(CLONE_NEWNS), 'unshare');
  kernel.makePrivate('/');
  // Copied before anything is mounted: a source may be anywhere.
  const copies = mounts.flatMap((mount) => copied(mount));
  try {
    const tree = copyMount(root);
    const proc = copyMount('/proc');
    copies.push({ tree }, { tree: proc });
    const { NOSUID, NODEV, NOEXEC } = MountFlag;
    kernel.mount('tmpfs', workplace, 'tmpfs', NOSUID | NODEV | NOEXEC, 'size=64k,nr_inodes=16,mode=700');
    for (const name of ['root', 'proc', 'host']) mkdirSync(`${workplace}/${name}`);
    showMount(tree, `${workplace}${viewPath}`);
    showMount(proc, `${workplace}/proc`);
    check(more.pivot_root(workplace, `${workplace}/host`), 'pivot_root', workplace);
    check(more.chdir('/'), 'chdir', '/');
    // Everybody else's mounts: as long as this namespace had them, they could not end.
    check(libc.umount2('/host', MNT_DETACH), 'umount', '/host');

    const top = openDescriptor(viewPath, OpenFlag.RDONLY | OpenFlag.DIRECTORY);
    for (const copy of copies) if (copy.mount !== undefined) show(copy.tree, copy.mount, top, copy.isDirectory ?? true);
    if (readOnlyRoot) setReadOnly(top, root);
    return top;
  } finally {
    for (const { tree } of copies) closeDescriptor(tree);
  }
}

interface Copy {
  tree: number;
  mount?: ViewMount;
  isDirectory?: boolean;
}

function copied(mount: ViewMount): Copy[] {
  const { source, readOnly } = mount;
  try {
    const isDirectory = statSync(source).isDirectory();
    return [{ tree: copyMount(source, { recursive: true, readOnly }), mount, isDirectory }];
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return [];
    throw error;
  }
}

function show(tree: number, { destination }: ViewMount, root: number, isDirectory: boolean): void {
  try {
    const place = openPlace(root, destination, isDirectory);
    try {
      showMount(tree, place);
    } finally {
      closeDescriptor(place);
    }
  } catch (error) {
    // Below something read-only, or of another kind than its place: there nothing can be shown.
    if (!hasCode(error, 'EROFS', 'EEXIST', 'ENOTDIR', 'ELOOP')) throw error;
  }
}

/** Opens the file or directory at a place of a tree that is not trusted; makes it, with its parents, when it is missing. */
function openPlace(root: number, path: string, isDirectory: boolean): number {
  try {
    return openInRoot(root, path, OpenFlag.PATH);
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
  }
  const slash = path.lastIndexOf('/');
  const name = path.slice(slash + 1);
  const parent = slash <= 0 ? openInRoot(root, '/', OpenFlag.PATH) : openPlace(root, path.slice(0, slash), true);
  try {
    if (isDirectory) mkdirAt(parent, name, 0o755);
    else {
      const flags = OpenFlag.WRONLY | OpenFlag.CREAT | OpenFlag.EXCL | OpenFlag.NOFOLLOW;
      closeDescriptor(openBeneath(parent, name, flags, 0o644));
    }
  } finally {
    closeDescriptor(parent);
  }
  return openInRoot(root, path, OpenFlag.PATH);
}
