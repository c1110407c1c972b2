import { closeSync, existsSync, openSync, readFileSync, readSync } from 'node:fs';
import { defineErrors } from './errors.ts';

export const { recordsTooNew } = defineErrors('kit', {
  recordsTooNew: {
    code: 'FAILED_PRECONDITION',
    message: (m: { path: string; found: number; known: number }) =>
      `${m.path} has schema ${m.found}, and this version knows schemas up to ${m.known}: ` +
      `run the newer version again, or put ${m.path}.bak-${m.known} back in its place`,
  },
});

/**
 * Throws RECORDS_TOO_NEW when the records at `path` are of a newer version. Writes nothing: the header says it (SQLite file
 * format §1.3), or a log that a crash has left.
 */
export function refuseNewer(path: string, known: number): void {
  if (!existsSync(path)) return;
  const found = schemaInLog(`${path}-wal`) ?? schemaInFirstPage(readBytes(path, headerBytes));
  if (found > known) throw recordsTooNew({ path, found, known });
}

const headerBytes = 100;
const userVersionAt = 60;

function schemaInFirstPage(page: Buffer): number {
  return page.length < headerBytes ? 0 : page.readUInt32BE(userVersionAt);
}

function readBytes(path: string, count: number): Buffer {
  const descriptor = openSync(path, 'r');
  try {
    const bytes = Buffer.alloc(count);
    return bytes.subarray(0, readSync(descriptor, bytes, 0, count, 0));
  } finally {
    closeSync(descriptor);
  }
}

/**
 * What the first page in a log that a crash has left says; undefined without one. Read by hand, since SQLite would write to
 * read it (WAL file format: a header of 32 bytes, then frames of 24 bytes and a page; those with the header's salt count, up to
 * the last that ends a commit).
 */
function schemaInLog(path: string): number | undefined {
  const bytes = existsSync(path) ? readFileSync(path) : Buffer.alloc(0);
  if (bytes.length < 32) return undefined;
  const pageSize = bytes.readUInt32BE(8);
  const salt = bytes.subarray(16, 24);
  let inCommit: number | undefined;
  let committed: number | undefined;
  for (let at = 32; at + 24 + pageSize <= bytes.length; at += 24 + pageSize) {
    if (!bytes.subarray(at + 8, at + 16).equals(salt)) break;
    const page = bytes.subarray(at + 24, at + 24 + pageSize);
    if (bytes.readUInt32BE(at) === 1) inCommit = schemaInFirstPage(page);
    if (bytes.readUInt32BE(at + 4) !== 0) committed = inCommit;
  }
  return committed;
}
