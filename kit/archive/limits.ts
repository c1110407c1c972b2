/** What an archive may at most ask for. Reading stops at the first that is passed. */
export interface ArchiveLimits {
  /** Entries in one archive. */
  entries: number;
  /** Bytes of one file's content. */
  fileBytes: number;
  /** Bytes of all files' content together. */
  totalBytes: number;
  /** Bytes of one pax header or GNU long name. */
  headerBytes: number;
  /** Bytes of a path; Linux's PATH_MAX. */
  pathBytes: number;
  /** Extended attributes of one entry. */
  xattrs: number;
}

const GiB = 2 ** 30;

export const defaultLimits: ArchiveLimits = {
  entries: 4_000_000,
  fileBytes: 512 * GiB,
  totalBytes: 1024 * GiB,
  headerBytes: 2 ** 20,
  pathBytes: 4096,
  xattrs: 256,
};
