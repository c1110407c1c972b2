import type { ByteString } from './bytes.ts';
import { BadArchive } from './entry.ts';

/** A path inside the tree that an archive describes, taken apart: `directory` '' is the root; `name` '' is the root itself. */
export interface EntryPath {
  directory: ByteString;
  name: ByteString;
}

/**
 * Reads a path as an archive has it. Absolute paths are the tree's own; `.` and `..` are resolved by their text, as all
 * engines do, and a path that would leave the tree is refused.
 */
export function entryPath(path: ByteString): EntryPath {
  const parts: ByteString[] = [];
  for (const part of path.split('/')) {
    if (part === '' || part === '.') continue;
    if (part !== '..') {
      if (part.length > 255) throw new BadArchive(path, 'a name in its path is longer than 255 bytes');
      parts.push(part);
    } else if (parts.pop() === undefined) {
      throw new BadArchive(path, 'its path leads out of the root');
    }
  }
  const name = parts.pop() ?? '';
  return { directory: parts.join('/'), name };
}
