import type { ByteString } from './bytes.ts';

export type EntryKind = 'file' | 'directory' | 'symlink' | 'hardlink' | 'char' | 'block' | 'fifo';

/** Seconds since 1970, perhaps negative, and nanoseconds (0 to 999,999,999) to add to them. */
export interface Timestamp {
  seconds: number;
  nanoseconds: number;
}

/** One member of a tar archive, whatever dialect it came in. */
export interface ArchiveEntry {
  kind: EntryKind;
  /** As in the archive: perhaps absolute, with `.` and `..` and a final slash. Never with a NUL. */
  path: ByteString;
  /** Of links: the target as in the archive. Else empty. */
  linkTarget: ByteString;
  /** Permission bits with setuid, setgid and sticky. */
  mode: number;
  uid: number;
  gid: number;
  modified: Timestamp;
  /** Bytes of content; 0 for all but files. */
  size: number;
  /** Of devices. */
  major: number;
  minor: number;
  /** Name to value. */
  xattrs: ReadonlyMap<ByteString, Buffer>;
}

/** The archive is not one that a layer can be made of. `entry` is the member it was found at. */
export class BadArchive extends Error {
  override readonly name = 'BadArchive';
  readonly entry: ByteString;
  readonly problem: string;

  constructor(entry: ByteString, problem: string, options: { cause?: unknown } = {}) {
    super(entry === '' ? problem : `${entry}: ${problem}`, options);
    this.entry = entry;
    this.problem = problem;
  }
}
