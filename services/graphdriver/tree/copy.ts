import { fstatSync } from 'node:fs';
import type { ByteString } from '../../../kit/archive/bytes.ts';
import { openContents } from '../../../kit/archive/contents.ts';
import { describe } from '../../../kit/archive/describe.ts';
import { openRoot } from '../../../kit/archive/directory.ts';
import type { EntrySink } from '../../../kit/archive/tar-reader.ts';
import { closeDescriptor } from '../../../kit/linux/libc.ts';
import { membersOf } from './members.ts';

/** Hands a whole tree to a sink, as an archive of it would: first its root. */
export function copyTree(from: ByteString, sink: EntrySink): void {
  const root = openRoot(from);
  try {
    const entry = describe({ directory: root, name: '.', stats: fstatSync(root, { bigint: true }) }, './');
    if (entry !== undefined) sink.entry(entry);
  } finally {
    closeDescriptor(root);
  }
  for (const member of membersOf({ kind: 'trees', tree: from, parent: undefined, hidesMountPoints: false })) {
    if (member.kind === 'deleted') continue;
    const { entry, found } = member;
    if (entry.kind !== 'file') {
      sink.entry(entry);
      continue;
    }
    using contents = openContents(found);
    if (contents === undefined) continue;
    sink.entry({ ...entry, size: contents.size });
    for (const piece of contents.pieces()) sink.content(piece);
    sink.contentEnd();
  }
}
