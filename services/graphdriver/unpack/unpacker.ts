import { chmodSync, chownSync, closeSync, utimesSync, writeSync } from 'node:fs';
import { deleteEntry } from '../../../kit/linux/delete-tree.ts';
import { linkAt, mkdirAt, mknodAt, symlinkAt } from '../../../kit/linux/directory-entries.ts';
import { makeDevice } from '../../../kit/linux/files.ts';
import { closeDescriptor, OpenFlag } from '../../../kit/linux/libc.ts';
import { openBeneath, openInRoot } from '../../../kit/linux/openat2.ts';
import { hasCode } from '../../../kit/linux/system-error.ts';
import { type ByteString, toBytes } from '../archive/bytes.ts';
import { type ArchiveEntry, BadArchive, type Timestamp } from '../archive/entry.ts';
import type { EntrySink } from '../archive/tar-reader.ts';
import { readWhiteout } from '../archive/whiteout.ts';
import { inChild, pathAt, statAt } from '../tree/directory.ts';
import { makeOpaque } from '../tree/overlay-marks.ts';
import { applyAttributes, applyFileAttributes, applyTime, applyXattrs, checkedId } from './attributes.ts';
import { openDirectories } from './directories.ts';
import { layerPath } from './layer-path.ts';
import { inPlaceWhiteouts, isHidden, overlayWhiteouts } from './whiteouts.ts';

export interface UnpackTarget {
  /** The directory that takes the layer. */
  root: ByteString;
  /** Whether deletions are kept as overlayfs's marks or carried out on a copy of the parent. */
  whiteouts: 'overlay' | 'in place';
  /** With `overlay`: the layers below, from the top down. */
  lowers: ByteString[];
}

export interface Unpacked {
  /** Bytes of file content. */
  size: number;
  /** The archive says that nothing of the layers below shows. */
  isRootOpaque: boolean;
}

/** Makes files of an archive's members, all of them below the target's root. */
export interface Unpacker extends EntrySink, Disposable {
  finish(): Unpacked;
}

const fileType = { char: 0o020000, block: 0o060000, fifo: 0o010000 };

export function createUnpacker(target: UnpackTarget): Unpacker {
  const directories = openDirectories(target.root, target.lowers);
  const isOverlay = target.whiteouts === 'overlay';
  const whiteouts = isOverlay ? overlayWhiteouts() : inPlaceWhiteouts(directories);
  const directoryTimes: { directory: ByteString; name: ByteString; entry: ByteString; modified: Timestamp }[] = [];
  let file: { fd: number; directory: number; name: ByteString; entry: ArchiveEntry } | undefined;
  let size = 0;
  let isRootOpaque = false;

  /** Makes an entry where nothing of that name is to be. */
  function place(directory: number, name: ByteString, make: () => void): void {
    try {
      make();
    } catch (error) {
      if (!hasCode(error, 'EEXIST')) throw error;
      deleteEntry(directory, toBytes(name));
      directories.changed();
      make();
    }
  }

  function makeFile(directory: number, name: ByteString, entry: ArchiveEntry): void {
    const flags = OpenFlag.WRONLY | OpenFlag.CREAT | OpenFlag.EXCL | OpenFlag.NOFOLLOW;
    place(directory, name, () => {
      file = { fd: openBeneath(directory, toBytes(name), flags, 0o600), directory, name, entry };
    });
  }

  function makeDirectory(directory: number, name: ByteString, entry: ArchiveEntry): void {
    const stats = isOverlay ? undefined : statAt(directory, name);
    if (stats?.isDirectory() !== true) {
      try {
        mkdirAt(directory, toBytes(name), 0o700);
      } catch (error) {
        if (!hasCode(error, 'EEXIST')) throw error;
        replaceByDirectory(directory, name);
      }
    }
    applyAttributes(directory, name, entry);
  }

  /** A directory that is there already stays, with what is in it. */
  function replaceByDirectory(directory: number, name: ByteString): void {
    if (statAt(directory, name)?.isDirectory()) return;
    const wasHidden = isOverlay && isHidden(directory, name);
    deleteEntry(directory, toBytes(name));
    directories.changed();
    mkdirAt(directory, toBytes(name), 0o700);
    // The archive hid the directory of the layers below first; its new one must not show their files.
    if (wasHidden) inChild(directory, name, (child) => makeOpaque(pathAt(child, '.')));
  }

  function makeLink(directory: number, name: ByteString, entry: ArchiveEntry): void {
    const to = layerPath(entry.linkTarget);
    const problem = `its link target ${entry.linkTarget} is not in the layer`;
    if (to.name === '') throw new BadArchive(entry.path, 'it is a hard link to a directory');
    let toDirectory: number;
    try {
      const flags = OpenFlag.RDONLY | OpenFlag.DIRECTORY;
      toDirectory = openInRoot(directories.root, toBytes(to.directory === '' ? '.' : to.directory), flags);
    } catch (error) {
      if (hasCode(error, 'ENOENT', 'ENOTDIR', 'ELOOP')) throw new BadArchive(entry.path, problem);
      throw error;
    }
    try {
      const isItself = to.name === name && directories.identity(toDirectory) === directories.identity(directory);
      const stats = statAt(toDirectory, to.name);
      if (stats === undefined || (isOverlay && isHidden(toDirectory, to.name))) {
        throw new BadArchive(entry.path, problem);
      }
      if (stats.isDirectory()) throw new BadArchive(entry.path, 'it is a hard link to a directory');
      if (!isItself) place(directory, name, () => linkAt(toDirectory, toBytes(to.name), directory, toBytes(name)));
    } finally {
      closeDescriptor(toDirectory);
    }
  }

  function makeSpecial(directory: number, name: ByteString, entry: ArchiveEntry): void {
    const { kind, major, minor } = entry;
    if (kind !== 'char' && kind !== 'block' && kind !== 'fifo') return;
    if (kind === 'char' && major === 0 && minor === 0) {
      throw new BadArchive(entry.path, 'it is the device 0:0, which overlayfs takes for a deletion');
    }
    if (major < 0 || major > 0xfff || minor < 0 || minor > 0xfffff) {
      throw new BadArchive(entry.path, `there is no device ${major}:${minor}`);
    }
    try {
      const device = kind === 'fifo' ? 0 : makeDevice(major, minor);
      place(directory, name, () => mknodAt(directory, toBytes(name), fileType[kind] | 0o600, device));
    } catch (error) {
      if (!hasCode(error, 'EPERM') || kind === 'fifo') throw error;
      throw new BadArchive(entry.path, 'it is a device, which needs CAP_MKNOD here', { cause: error });
    }
  }

  function make(directory: number, name: ByteString, entry: ArchiveEntry): void {
    switch (entry.kind) {
      case 'file':
        makeFile(directory, name, entry);
        return;
      case 'hardlink':
        makeLink(directory, name, entry);
        return;
      case 'directory':
        makeDirectory(directory, name, entry);
        return;
      case 'symlink':
        if (entry.linkTarget === '') throw new BadArchive(entry.path, 'it is a symlink without a target');
        place(directory, name, () => symlinkAt(toBytes(entry.linkTarget), directory, toBytes(name)));
        break;
      default:
        makeSpecial(directory, name, entry);
    }
    applyAttributes(directory, name, entry);
    applyTime(directory, name, entry.modified);
  }

  function changeRoot(entry: ArchiveEntry): void {
    if (entry.kind !== 'directory') throw new BadArchive(entry.path, 'it is the layer’s root, but no directory');
    const root = pathAt(directories.root, '.');
    chownSync(root, checkedId(entry.uid, entry), checkedId(entry.gid, entry));
    applyXattrs(root, entry.xattrs, entry.path);
    chmodSync(root, entry.mode);
    directoryTimes.push({ directory: '', name: '', entry: entry.path, modified: entry.modified });
  }

  function settleTimes(): void {
    // Children first: what is made in a directory changes its time. The time of one that was replaced has no place.
    for (const { directory, name, entry, modified } of directoryTimes.reverse()) {
      if (name === '') {
        const seconds = modified.seconds + modified.nanoseconds / 1e9;
        utimesSync(pathAt(directories.root, '.'), seconds, seconds);
        continue;
      }
      const parent = directories.open(directory, entry);
      if (statAt(parent, name)?.isDirectory()) applyTime(parent, name, modified);
    }
  }

  return {
    entry(entry) {
      const { directory: directoryPath, name } = layerPath(entry.path);
      if (name === '') {
        changeRoot(entry);
        return;
      }
      const directory = directories.open(directoryPath, entry.path);
      const whiteout = readWhiteout(name, entry.path);
      if (whiteout?.kind === 'gone') whiteouts.hide(directory, whiteout.name);
      if (whiteout?.kind === 'opaque') {
        whiteouts.hideAll(directory);
        if (directories.identity(directory) === directories.identity(directories.root)) isRootOpaque = true;
      }
      if (whiteout !== undefined) return;
      make(directory, name, entry);
      whiteouts.made(directory, name);
      if (entry.kind === 'directory') {
        directoryTimes.push({ directory: directoryPath, name, entry: entry.path, modified: entry.modified });
      }
    },
    content(piece) {
      if (file === undefined) return;
      for (let offset = 0; offset < piece.length; ) offset += writeSync(file.fd, piece, offset);
      size += piece.length;
    },
    contentEnd() {
      if (file === undefined) return;
      const { fd, directory, name, entry } = file;
      file = undefined;
      try {
        applyFileAttributes(fd, directory, name, entry);
        applyTime(directory, name, entry.modified);
      } finally {
        closeSync(fd);
      }
    },
    finish() {
      settleTimes();
      return { size, isRootOpaque };
    },
    [Symbol.dispose]() {
      if (file !== undefined) closeSync(file.fd);
      file = undefined;
      directories[Symbol.dispose]();
    },
  };
}
