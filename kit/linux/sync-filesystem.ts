import { ffi } from './ffi.ts';
import { check, closeDescriptor, OpenFlag, openDescriptor, type PathLike } from './libc.ts';

const { functions: libc } = ffi.dlopen('libc.so.6', { syncfs: { arguments: ['int32'], return: 'int32' } });

/**
 * Writes all that was changed on the path's filesystem to its disk (syncfs(2)): many files at the price of few fsyncs. Others'
 * changes are written too, so it may take seconds: not for an event loop.
 */
export function syncFilesystem(path: PathLike): void {
  const fd = openDescriptor(path, OpenFlag.RDONLY);
  try {
    check(libc.syncfs(fd), 'syncfs', path);
  } finally {
    closeDescriptor(fd);
  }
}
