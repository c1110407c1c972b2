import type { ArchiveEntry, EntryKind, Timestamp } from './entry.ts';
import { endBlocks, padBlock, writeHeader } from './tar-writer.ts';

/** A member as tests write it: what is left out is a root-owned 0644 file (0755 directory) of 2001. */
export interface Member {
  path: string;
  kind?: EntryKind;
  content?: string | Buffer;
  linkTarget?: string;
  mode?: number;
  uid?: number;
  gid?: number;
  modified?: Timestamp;
  size?: number;
  major?: number;
  minor?: number;
  xattrs?: Record<string, string | Buffer>;
}

/** A tar archive of these members. */
export function archiveOf(...members: Member[]): Buffer {
  return Buffer.concat([...members.map(memberBytes), endBlocks()]);
}

/** One member's blocks: header and content. */
export function memberBytes(member: Member): Buffer {
  const content = Buffer.from(member.content ?? '');
  return Buffer.concat([writeHeader(entryOf(member)), content, padBlock(content.length)]);
}

export function entryOf(member: Member): ArchiveEntry {
  const kind = member.kind ?? 'file';
  return {
    kind,
    path: member.path,
    linkTarget: member.linkTarget ?? '',
    mode: member.mode ?? (kind === 'directory' ? 0o755 : 0o644),
    uid: member.uid ?? 0,
    gid: member.gid ?? 0,
    modified: member.modified ?? { seconds: 1_000_000_000, nanoseconds: 0 },
    size: member.size ?? Buffer.from(member.content ?? '').length,
    major: member.major ?? 0,
    minor: member.minor ?? 0,
    xattrs: new Map(Object.entries(member.xattrs ?? {}).map(([name, value]) => [name, Buffer.from(value)])),
  };
}

/** A header block with some bytes replaced, and its checksum made right again. */
export function patchHeader(block: Buffer, patches: Record<number, string | Buffer>): Buffer {
  const patched = Buffer.from(block);
  for (const [offset, bytes] of Object.entries(patches)) Buffer.from(bytes).copy(patched, Number(offset));
  patched.write('        ', 148, 'latin1');
  let sum = 0;
  for (const byte of patched.subarray(0, 512)) sum += byte;
  patched.write(`${sum.toString(8).padStart(6, '0')}\u0000 `, 148, 'latin1');
  return patched;
}
