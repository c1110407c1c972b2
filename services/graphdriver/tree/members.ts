import type { ByteString } from '../../../kit/archive/bytes.ts';
import type { Found } from '../../../kit/archive/describe.ts';
import type { ArchiveEntry } from '../../../kit/archive/entry.ts';
import { createDescriber } from '../../../kit/archive/pack.ts';
import { type DifferenceSource, differences } from './difference.ts';

/** What an archive of a layer's difference consists of. */
export type Member = { kind: 'entry'; entry: ArchiveEntry; found: Found } | { kind: 'deleted'; path: ByteString };

/** A file's second name is a hard link to its first. Sockets are left out: no archive can hold one. */
export function* membersOf(source: DifferenceSource): Generator<Member, void> {
  const describe = createDescriber();
  for (const difference of differences(source)) {
    if (difference.kind === 'deleted') {
      yield { kind: 'deleted', path: difference.path };
      continue;
    }
    const { found, path } = difference;
    const entry = describe(found, path);
    if (entry !== undefined) yield { kind: 'entry', entry, found };
  }
}
