import { accessSync, constants, readFileSync } from 'node:fs';
import { fromText } from '../../../kit/archive/bytes.ts';
import { openDirectories } from '../../../kit/archive/directories.ts';
import { inflate } from '../../../kit/archive/inflate.ts';
import { createTarReader, type EntrySink } from '../../../kit/archive/tar-reader.ts';
import { createUnpacker } from '../../../kit/archive/unpacker.ts';
import { nobody, toHost } from '../../../kit/id-maps.ts';
import { closeDescriptor, OpenFlag } from '../../../kit/linux/libc.ts';
import { openInRoot } from '../../../kit/linux/openat2.ts';
import { viewPath } from '../../../kit/linux/private-view.ts';
import { hasCode } from '../../../kit/linux/system-error.ts';
import type { IdMaps } from '../../../proto/gen/longshore/contract/v1/id_maps.ts';
import { readUserFiles } from '../spec/root-files.ts';
import { lookupUser } from '../spec/users.ts';
import type { FilesJob } from './job.ts';
import { filesPath, openedPath } from './path.ts';

/** The place is there, but is no directory. */
export class NotADirectory extends Error {
  override readonly name = 'NotADirectory';
}

/** The place is on something read-only: the container's root, or a mount in it. */
export class ReadOnlyPlace extends Error {
  override readonly name = 'ReadOnlyPlace';
  readonly isRoot: boolean;

  constructor(isRoot: boolean) {
    super('read-only');
    this.isRoot = isRoot;
  }
}

/** Unpacks an archive, plain or compressed, into a directory. What came before a failure stays. */
export async function writeFiles(
  root: number,
  { path, keepKinds, owner }: Extract<FilesJob, { kind: 'write' }>,
  idMaps: IdMaps | undefined,
  archive: AsyncIterable<Buffer>,
): Promise<void> {
  const directory = openPlace(root, path);
  const place = openedPath(directory);
  const directories = openDirectories({ tree: root, directory, path: fromText(place.slice(1)) });
  using unpacker = createUnpacker({
    directories,
    changesRoot: false,
    ...(owner !== '' && { owner: onHost(idMaps, lookupUser(owner, [], readUserFiles(viewPath))) }),
    ...(keepKinds && { keepsKinds: { place } }),
  });
  const reader = createTarReader(idMaps === undefined ? unpacker : mapping(unpacker, idMaps));
  for await (const piece of inflate(archive)) reader.write(piece);
  reader.end();
  unpacker.finish();
}

/** An id that the container has not got is its `nobody`. */
function onHost<T extends { uid: number; gid: number }>(idMaps: IdMaps | undefined, owner: T): T {
  if (idMaps === undefined) return owner;
  const uid = toHost(idMaps.uids, owner.uid) ?? toHost(idMaps.uids, nobody) ?? owner.uid;
  const gid = toHost(idMaps.gids, owner.gid) ?? toHost(idMaps.gids, nobody) ?? owner.gid;
  return { ...owner, uid, gid };
}

function mapping(sink: EntrySink, idMaps: IdMaps): EntrySink {
  return {
    entry: (entry) => sink.entry(onHost(idMaps, entry)),
    content: (piece) => sink.content(piece),
    contentEnd: () => sink.contentEnd(),
  };
}

function openPlace(root: number, given: string): number {
  const { path } = filesPath(given);
  let directory: number;
  try {
    directory = openInRoot(root, path, OpenFlag.RDONLY | OpenFlag.DIRECTORY);
  } catch (error) {
    if (hasCode(error, 'ENOTDIR') && isThere(root, path)) throw new NotADirectory(path, { cause: error });
    throw error;
  }
  try {
    accessSync(`/proc/self/fd/${directory}/.`, constants.W_OK);
    return directory;
  } catch (error) {
    const isRoot = mountOf(directory) === mountOf(root);
    closeDescriptor(directory);
    if (hasCode(error, 'EROFS')) throw new ReadOnlyPlace(isRoot);
    throw error;
  }
}

function isThere(root: number, path: string): boolean {
  try {
    closeDescriptor(openInRoot(root, path, OpenFlag.PATH));
    return true;
  } catch {
    return false;
  }
}

/** The mount that something open is on: `mnt_id` of proc_pid_fdinfo(5). */
function mountOf(descriptor: number): string | undefined {
  return /^mnt_id:\s*(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${descriptor}`, 'utf8'))?.[1];
}
