import type { ByteString } from '../archive/bytes.ts';
import type { ArchiveEntry } from '../archive/entry.ts';
import { describe, type Found } from './describe.ts';
import { type DifferenceSource, differences } from './difference.ts';
import { ifThere } from './directory.ts';

/** What an archive of a layer's difference consists of. */
export type Member = { kind: 'entry'; entry: ArchiveEntry; found: Found } | { kind: 'deleted'; path: ByteString };

/** A file's second name is a hard link to its first. Sockets are left out: no archive can hold one. */
export function* membersOf(source: DifferenceSource): Generator<Member, void> {
  const firstNames = new Map<string, ByteString>();
  for (const difference of differences(source)) {
    if (difference.kind === 'deleted') {
      yield { kind: 'deleted', path: difference.path };
      continue;
    }
    const { found, path } = difference;
    const entry = ifThere(() => describe(found, path));
    if (entry === undefined) continue;
    if (found.stats.nlink > 1n && entry.kind !== 'directory') {
      const inode = `${found.stats.dev}:${found.stats.ino}`;
      const firstName = firstNames.get(inode);
      if (firstName !== undefined) {
        const link = { ...entry, kind: 'hardlink', linkTarget: firstName, size: 0, xattrs: new Map() } as const;
        yield { kind: 'entry', entry: link, found };
        continue;
      }
      firstNames.set(inode, path);
    }
    yield { kind: 'entry', entry, found };
  }
}
