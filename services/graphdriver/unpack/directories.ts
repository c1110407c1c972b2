import { lstatSync } from 'node:fs';
import { applyXattrs } from '../../../kit/archive/attributes.ts';
import { type ByteString, toBytes } from '../../../kit/archive/bytes.ts';
import { portableXattrs } from '../../../kit/archive/describe.ts';
import { type Directories, openDirectories } from '../../../kit/archive/directories.ts';
import { openRoot, pathAt } from '../../../kit/archive/directory.ts';
import { chmodAt, chownAt, utimesAt } from '../../../kit/linux/directory-entries.ts';
import { type MergedDirectory, mergedDirectory } from '../tree/merged.ts';

/** The open directories of a layer. `lowers` are the layers below, from the top down, when they aren't in the tree itself. */
export function openLayerDirectories(rootPath: ByteString, lowers: readonly ByteString[]): Directories {
  const root = openRoot(rootPath);
  const below = mergedDirectory(lowers);
  return openDirectories({ tree: root, directory: root, path: '' }, (parent, name, path) =>
    copyAttributes(below, path, parent, name),
  );
}

/** A directory that the archive takes for granted is that of the layers below; in an overlay ours would hide its attributes. */
function copyAttributes(below: MergedDirectory, path: ByteString, parent: number, name: ByteString): void {
  let place = below;
  for (const part of path.split('/')) place = place.child(part);
  if (place.top === undefined) return;
  const stats = lstatSync(toBytes(place.top), { bigint: true });
  const bytes = toBytes(name);
  chownAt(parent, bytes, Number(stats.uid), Number(stats.gid));
  applyXattrs(pathAt(parent, name), portableXattrs(toBytes(place.top)), path);
  chmodAt(parent, bytes, Number(stats.mode & 0o7777n));
  utimesAt(parent, bytes, undefined, stats.mtimeNs);
}
