import { randomBytes } from 'node:crypto';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { hasCode } from '../../kit/linux/system-error.ts';

/** Relative to the data root. */
export const noncePath = 'graphdriver/nonce';

/** What the nonce file says: whoever reads the same there sees the same data root. Made at the first call. */
export function readNonce(dataRoot: string): string {
  const path = join(dataRoot, noncePath);
  try {
    const nonce = readFileSync(path, 'utf8');
    if (/^[0-9a-f]{32}$/.test(nonce)) return nonce;
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
  }
  const nonce = randomBytes(16).toString('hex');
  writeFileSync(`${path}.tmp`, nonce, { mode: 0o644 });
  renameSync(`${path}.tmp`, path);
  return nonce;
}
