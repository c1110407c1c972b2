import { FilesystemType, filesystemType } from '../../kit/linux/files.ts';

/** The kind of filesystem a directory is on, as `docker info` names it. */
export function filesystemName(directory: string): string {
  switch (filesystemType(directory)) {
    case FilesystemType.BTRFS:
      return 'btrfs';
    case FilesystemType.EXT:
      return 'extfs';
    case FilesystemType.NFS:
      return 'nfs';
    case FilesystemType.OVERLAY:
      return 'overlayfs';
    case FilesystemType.TMPFS:
      return 'tmpfs';
    case FilesystemType.XFS:
      return 'xfs';
    case FilesystemType.ZFS:
      return 'zfs';
    default:
      return 'unknown';
  }
}
