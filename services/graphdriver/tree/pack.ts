import type { ByteString } from '../../../kit/archive/bytes.ts';
import { inFrames, packMember } from '../../../kit/archive/pack.ts';
import { endBlocks, writeHeader } from '../../../kit/archive/tar-writer.ts';
import { whiteoutOf } from '../archive/whiteout.ts';
import type { DifferenceSource } from './difference.ts';
import { membersOf } from './members.ts';

const frameSize = 1024 * 1024;

/**
 * A layer's difference as a tar archive with OCI whiteouts, in frames of at most 1 MiB. Left out: sockets, and files whose
 * names would be read as whiteouts.
 */
export function packDifference(source: DifferenceSource): Generator<Buffer, void> {
  return inFrames(packed(source), frameSize);
}

function* packed(source: DifferenceSource): Generator<Buffer, void> {
  for (const member of membersOf(source)) {
    const path = member.kind === 'deleted' ? member.path : member.entry.path;
    const slash = path.lastIndexOf('/') + 1;
    const name = path.slice(slash);
    if (member.kind === 'deleted') yield whiteout(path.slice(0, slash) + whiteoutOf(name));
    else if (!name.startsWith('.wh.')) yield* packMember(member.entry, member.found, frameSize);
  }
  yield endBlocks();
}

function whiteout(path: ByteString): Buffer {
  const none = { linkTarget: '', uid: 0, gid: 0, size: 0, major: 0, minor: 0, xattrs: new Map() };
  return writeHeader({ ...none, kind: 'file', path, mode: 0, modified: { seconds: 0, nanoseconds: 0 } });
}
