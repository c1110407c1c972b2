import type { ByteString } from '../../../kit/archive/bytes.ts';
import { BadArchive } from '../../../kit/archive/entry.ts';

/**
 * Whiteouts as the OCI image specification has them ("Image Layer Filesystem Changeset"): an empty file `.wh.NAME` says that
 * NAME of the layers below is gone, `.wh..wh..opq` that everything of the layers below in this directory is.
 */
export type Whiteout = { kind: 'gone'; name: ByteString } | { kind: 'opaque' } | { kind: 'ignored' };

const prefix = '.wh.';
const opaqueName = '.wh..wh..opq';

/** What a member's last path component says; undefined when it is an ordinary name. `path` is for the error. */
export function readWhiteout(name: ByteString, path: ByteString): Whiteout | undefined {
  if (!name.startsWith(prefix)) return undefined;
  if (name === opaqueName) return { kind: 'opaque' };
  // Other names with the prefix twice are AUFS's own bookkeeping, which old archives carry.
  if (name.startsWith(prefix + prefix)) return { kind: 'ignored' };
  const hidden = name.slice(prefix.length);
  if (hidden === '' || hidden === '.' || hidden === '..') throw new BadArchive(path, 'it is a whiteout of no name');
  return { kind: 'gone', name: hidden };
}

export function whiteoutOf(name: ByteString): ByteString {
  return prefix + name;
}

export function opaqueMarkerIn(directory: ByteString): ByteString {
  return directory === '' ? opaqueName : `${directory}/${opaqueName}`;
}
