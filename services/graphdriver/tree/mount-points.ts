import type { BigIntStats } from 'node:fs';
import type { ByteString } from '../../../kit/archive/bytes.ts';

/** Added paths that are no difference. */
export interface Ignored {
  file(path: ByteString, stats: BigIntStats): boolean;
  /** Not named for itself, only if something in it is. */
  directory(path: ByteString): boolean;
}

export const nothing: Ignored = { file: () => false, directory: () => false };

const emptyFiles = new Set(['.dockerenv', 'dev/console', 'etc/hostname', 'etc/hosts', 'etc/resolv.conf']);

const directories = new Set([
  'dev',
  'dev/mqueue',
  'dev/pts',
  'dev/shm',
  'etc',
  'proc',
  'sys',
  'sys/fs',
  'sys/fs/cgroup',
]);

/**
 * What the runtime makes in a container's layer so that it can mount over it. It isn't the container's doing, so no diff
 * and no commit shows it, as long as it is as empty as it was made.
 */
export const runtimeMountPoints: Ignored = {
  file: (path, stats) => emptyFiles.has(path) && stats.isFile() && stats.size === 0n,
  directory: (path) => directories.has(path),
};
