import { chmodSync, chownSync, closeSync, utimesSync, writeSync } from 'node:fs';
import { deleteEntry } from '../linux/delete-tree.ts';
import { linkAt, mkdirAt, mknodAt, symlinkAt } from '../linux/directory-entries.ts';
import { makeDevice } from '../linux/files.ts';
import { OpenFlag } from '../linux/libc.ts';
import { openBeneath } from '../linux/openat2.ts';
import { hasCode } from '../linux/system-error.ts';
import { applyAttributes, applyFileAttributes, applyTime, applyXattrs, checkedId } from './attributes.ts';
import { type ByteString, toBytes } from './bytes.ts';
import type { Directories } from './directories.ts';
import { pathAt, statAt } from './directory.ts';
import { type ArchiveEntry, BadArchive, type Timestamp } from './entry.ts';
import { entryPath } from './entry-path.ts';
import type { EntrySink } from './tar-reader.ts';

/** What is special about the tree that an archive goes into. */
export interface UnpackRules {
  /** Closed with the unpacker. */
  directories: Directories;
  /** Deals with an entry that is not to be made, and says so by true. */
  takes?(directory: number, name: ByteString, entry: ArchiveEntry): boolean;
  /** An entry of the archive is now here. */
  made?(directory: number, name: ByteString): void;
  /** What is there under this name counts as nothing. */
  isHidden?(directory: number, name: ByteString): boolean;
  /** A directory has come in place of what was hidden. */
  uncovered?(directory: number, name: ByteString): void;
  /** Whose everything is to be; otherwise as the archive says. */
  owner?: { uid: number; gid: number };
  /** An entry for the archive's own root changes the place; otherwise it is left out. */
  changesRoot: boolean;
  /** Nothing replaces a directory, and no directory replaces anything else; `place` is for the message. */
  keepsKinds?: { place: string };
}

/** Makes files of an archive's members, all of them in the place that the rules name. */
export interface Unpacker extends EntrySink, Disposable {
  /** Gives the bytes of file content. */
  finish(): number;
}

const fileType = { char: 0o020000, block: 0o060000, fifo: 0o010000 };

export function createUnpacker(rules: UnpackRules): Unpacker {
  const { directories, keepsKinds } = rules;
  const directoryTimes: { directory: ByteString; name: ByteString; entry: ByteString; modified: Timestamp }[] = [];
  let file: { fd: number; directory: number; name: ByteString; entry: ArchiveEntry } | undefined;
  let size = 0;

  /** Makes an entry where nothing of that name is to be. */
  function place(directory: number, name: ByteString, path: ByteString, make: () => void): void {
    try {
      make();
    } catch (error) {
      if (!hasCode(error, 'EEXIST')) throw error;
      if (keepsKinds !== undefined && statAt(directory, name)?.isDirectory()) {
        throw otherKind('directory', 'non-directory', keepsKinds.place, path);
      }
      deleteEntry(directory, toBytes(name));
      directories.changed();
      make();
    }
  }

  function makeFile(directory: number, name: ByteString, entry: ArchiveEntry): void {
    const flags = OpenFlag.WRONLY | OpenFlag.CREAT | OpenFlag.EXCL | OpenFlag.NOFOLLOW;
    place(directory, name, entry.path, () => {
      file = { fd: openBeneath(directory, toBytes(name), flags, 0o600), directory, name, entry };
    });
  }

  function makeDirectory(directory: number, name: ByteString, entry: ArchiveEntry): void {
    try {
      mkdirAt(directory, toBytes(name), 0o700);
    } catch (error) {
      if (!hasCode(error, 'EEXIST')) throw error;
      replaceByDirectory(directory, name, entry.path);
    }
    applyAttributes(directory, name, entry);
  }

  /** A directory that is there already stays, with what is in it. */
  function replaceByDirectory(directory: number, name: ByteString, path: ByteString): void {
    if (statAt(directory, name)?.isDirectory()) return;
    if (keepsKinds !== undefined) throw otherKind('non-directory', 'directory', keepsKinds.place, path);
    const wasHidden = rules.isHidden?.(directory, name) ?? false;
    deleteEntry(directory, toBytes(name));
    directories.changed();
    mkdirAt(directory, toBytes(name), 0o700);
    if (wasHidden) rules.uncovered?.(directory, name);
  }

  function makeLink(directory: number, name: ByteString, entry: ArchiveEntry): void {
    const to = entryPath(entry.linkTarget);
    if (to.name === '') throw new BadArchive(entry.path, 'it is a hard link to a directory');
    const missing = () => new BadArchive(entry.path, `its link target ${entry.linkTarget} is not there`);
    const linkFrom = (toDirectory: number) => {
      const isItself = to.name === name && directories.identity(toDirectory) === directories.identity(directory);
      const stats = statAt(toDirectory, to.name);
      if (stats === undefined || rules.isHidden?.(toDirectory, to.name)) throw missing();
      if (stats.isDirectory()) throw new BadArchive(entry.path, 'it is a hard link to a directory');
      if (isItself) return;
      place(directory, name, entry.path, () => linkAt(toDirectory, toBytes(to.name), directory, toBytes(name)));
    };
    try {
      directories.within(to.directory, linkFrom);
    } catch (error) {
      throw hasCode(error, 'ENOENT', 'ENOTDIR', 'ELOOP') ? missing() : error;
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
      const mode = fileType[kind] | 0o600;
      place(directory, name, entry.path, () => mknodAt(directory, toBytes(name), mode, device));
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
        place(directory, name, entry.path, () => symlinkAt(toBytes(entry.linkTarget), directory, toBytes(name)));
        break;
      default:
        makeSpecial(directory, name, entry);
    }
    applyAttributes(directory, name, entry);
    applyTime(directory, name, entry.modified);
  }

  function changeRoot(entry: ArchiveEntry): void {
    if (entry.kind !== 'directory') throw new BadArchive(entry.path, 'it is the root, but no directory');
    if (!rules.changesRoot) return;
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
    entry(given) {
      const entry = rules.owner === undefined ? given : { ...given, ...rules.owner };
      const { directory: directoryPath, name } = entryPath(entry.path);
      if (name === '') {
        changeRoot(entry);
        return;
      }
      const directory = directories.open(directoryPath, entry.path);
      if (rules.takes?.(directory, name, entry)) return;
      make(directory, name, entry);
      rules.made?.(directory, name);
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
      return size;
    },
    [Symbol.dispose]() {
      if (file !== undefined) closeSync(file.fd);
      file = undefined;
      directories[Symbol.dispose]();
    },
  };
}

/** Docker's words. */
function otherKind(found: string, wanted: string, place: string, path: ByteString): BadArchive {
  const target = `${place === '/' ? '' : place}/${path.replace(/^[./]+|\/+$/g, '')}`;
  return new BadArchive('', `cannot overwrite ${found} "${target}" with ${wanted} "${place}"`);
}
