import { type ByteString, fromText } from '../../../kit/archive/bytes.ts';
import type { Found } from '../../../kit/archive/describe.ts';
import { ifThere, namesIn, openChild, statAt } from '../../../kit/archive/directory.ts';
import { createDescriber, type Describer, inFrames, packMember } from '../../../kit/archive/pack.ts';
import { endBlocks } from '../../../kit/archive/tar-writer.ts';
import { toContainer } from '../../../kit/id-maps.ts';
import { closeDescriptor } from '../../../kit/linux/libc.ts';
import type { IdMaps } from '../../../proto/gen/longshore/contract/v1/id_maps.ts';
import { type FilesPath, findPath } from './path.ts';

/** The contract allows 1 MiB; but up to 16 frames queue on each side of the wire when the reader is slow. */
const frameSize = 256 * 1024;

/** Linux has no path of more parts; what lies deeper can have no name in an archive. */
const maxDepth = 2048;

/**
 * What is at the path, with everything in it, as a tar archive in frames. `isBare`: of a directory only what is
 * in it, named from there on.
 */
export function readFiles(
  root: number,
  path: FilesPath,
  isBare: boolean,
  idMaps: IdMaps | undefined,
): Generator<Buffer<ArrayBuffer>, void> {
  return inFrames(packed(root, path, isBare, idMaps), frameSize);
}

/** As the container itself would describe its files. */
function describerOf(idMaps: IdMaps | undefined): Describer {
  const describe = createDescriber();
  if (idMaps === undefined) return describe;
  return (found, path) => {
    const entry = describe(found, path);
    if (entry === undefined) return undefined;
    return { ...entry, uid: toContainer(idMaps.uids, entry.uid), gid: toContainer(idMaps.gids, entry.gid) };
  };
}

function* packed(root: number, path: FilesPath, isBare: boolean, idMaps: IdMaps | undefined): Generator<Buffer, void> {
  using found = findPath(root, path);
  const describe = describerOf(idMaps);
  if (isBare && found.stats.isDirectory()) yield* packContents(found, '', describe, 0);
  else yield* packTree(found, fromText(path.name), describe, 0);
  yield endBlocks();
}

function* packTree(found: Found, path: ByteString, describe: Describer, depth: number): Generator<Buffer, void> {
  const entry = describe(found, path);
  if (entry === undefined) return;
  yield* packMember(entry, found, frameSize);
  if (entry.kind === 'directory') yield* packContents(found, path.endsWith('/') ? path : `${path}/`, describe, depth);
}

/** `within` is what the names follow. */
function* packContents(found: Found, within: ByteString, describe: Describer, depth: number): Generator<Buffer, void> {
  const directory = depth === maxDepth ? undefined : ifThere(() => openChild(found.directory, found.name));
  if (directory === undefined) return;
  try {
    for (const name of namesIn(directory)) {
      const stats = statAt(directory, name);
      if (stats !== undefined) yield* packTree({ directory, name, stats }, within + name, describe, depth + 1);
    }
  } finally {
    closeDescriptor(directory);
  }
}
