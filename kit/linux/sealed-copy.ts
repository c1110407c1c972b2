import { readFileSync, writeSync } from 'node:fs';
import { basename } from 'node:path';
import { check, closeDescriptor, libc } from './libc.ts';

const MFD_CLOEXEC = 0x1;
const MFD_ALLOW_SEALING = 0x2;
const F_ADD_SEALS = 1033;
/** F_SEAL_SEAL, _SHRINK, _GROW and _WRITE, fcntl(2). */
const ALL_SEALS = 0x1 | 0x2 | 0x4 | 0x8;

/** A file's copy in memory that nobody can change any more, memfd_create(2). */
export interface SealedCopy {
  /** For this process and whoever may look into it, until it is closed. */
  readonly path: string;
  close(): void;
}

/** Throws a SystemError (ENOENT, EACCES, ENOSYS …). */
export function sealedCopy(file: string): SealedCopy {
  const bytes = readFileSync(file);
  const descriptor = check(libc.memfd_create(basename(file), MFD_CLOEXEC | MFD_ALLOW_SEALING), 'memfd_create', file);
  try {
    for (let at = 0; at < bytes.length; ) at += writeSync(descriptor, bytes, at);
    check(libc.fcntl(descriptor, F_ADD_SEALS, ALL_SEALS), 'fcntl', file);
  } catch (error) {
    closeDescriptor(descriptor);
    throw error;
  }
  return { path: `/proc/${process.pid}/fd/${descriptor}`, close: () => closeDescriptor(descriptor) };
}
