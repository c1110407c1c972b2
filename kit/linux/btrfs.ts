import { ffi } from './ffi.ts';
import { check, closeDescriptor, OpenFlag, openDescriptor } from './libc.ts';

/** Requests of <linux/btrfs.h>; the same on every architecture we run on. */
const Request = {
  SNAP_CREATE: 0x50009401n,
  SUBVOL_CREATE: 0x5000940en,
  SNAP_DESTROY: 0x5000940fn,
  SUBVOL_SETFLAGS: 0x4008941an,
  QUOTA_CTL: 0xc0109428n,
  QGROUP_LIMIT: 0x8030942bn,
} as const;

const SUBVOL_RDONLY = 2n;
const QUOTA_CTL_ENABLE = 1n;
const QGROUP_LIMIT_MAX_RFER = 1n;

const { functions: libc } = ffi.dlopen('libc.so.6', {
  ioctl: { arguments: ['int32', 'uint64', 'pointer'], return: 'int32' },
});

/** Subvolumes of a btrfs filesystem: directories with a tree of their own, of which snapshots are made in no time. */
export interface Btrfs {
  /** Makes an empty subvolume. The directory it goes into must exist and be on btrfs (else ENOTTY). */
  createSubvolume(directory: string, name: string): void;
  /** A writable copy of a subvolume that shares its blocks. */
  snapshot(subvolume: string, directory: string, name: string): void;
  /** Deletes a subvolume with all that is in it. ENOTEMPTY when there are others in it. */
  deleteSubvolume(directory: string, name: string): void;
  setReadOnly(subvolume: string, isReadOnly: boolean): void;
  /** Bytes that a subvolume may refer to. Turns quotas on for the filesystem. */
  limitSubvolume(subvolume: string, bytes: number): void;
}

function within<T>(directory: string, use: (fd: number) => T): T {
  const fd = openDescriptor(directory, OpenFlag.RDONLY | OpenFlag.DIRECTORY);
  try {
    return use(fd);
  } finally {
    closeDescriptor(fd);
  }
}

function control(fd: number, request: bigint, argument: Buffer, what: string, path: string): void {
  check(libc.ioctl(fd, request, argument), what, path);
}

/** struct btrfs_ioctl_vol_args { s64 fd; char name[4088] } */
function volumeArguments(name: string, fd = 0): Buffer {
  const bytes = Buffer.alloc(4096);
  bytes.writeBigInt64LE(BigInt(fd), 0);
  bytes.write(name, 8, 4087);
  return bytes;
}

export function createBtrfs(): Btrfs {
  return {
    createSubvolume(directory, name) {
      within(directory, (fd) =>
        control(fd, Request.SUBVOL_CREATE, volumeArguments(name), 'create subvolume', `${directory}/${name}`),
      );
    },
    snapshot(subvolume, directory, name) {
      within(subvolume, (source) =>
        within(directory, (fd) =>
          control(fd, Request.SNAP_CREATE, volumeArguments(name, source), 'snapshot', `${directory}/${name}`),
        ),
      );
    },
    deleteSubvolume(directory, name) {
      within(directory, (fd) =>
        control(fd, Request.SNAP_DESTROY, volumeArguments(name), 'delete subvolume', `${directory}/${name}`),
      );
    },
    setReadOnly(subvolume, isReadOnly) {
      const flags = Buffer.alloc(8);
      flags.writeBigUInt64LE(isReadOnly ? SUBVOL_RDONLY : 0n);
      within(subvolume, (fd) => control(fd, Request.SUBVOL_SETFLAGS, flags, 'set subvolume flags', subvolume));
    },
    limitSubvolume(subvolume, bytes) {
      within(subvolume, (fd) => {
        const enable = Buffer.alloc(16); // struct btrfs_ioctl_quota_ctl_args { u64 cmd, status }
        enable.writeBigUInt64LE(QUOTA_CTL_ENABLE, 0);
        control(fd, Request.QUOTA_CTL, enable, 'enable quotas', subvolume);
        const limit = Buffer.alloc(48); // { u64 qgroupid (0: of this subvolume), flags, max_rfer, max_excl, rsv_rfer, rsv_excl }
        limit.writeBigUInt64LE(QGROUP_LIMIT_MAX_RFER, 8);
        limit.writeBigUInt64LE(BigInt(bytes), 16);
        control(fd, Request.QGROUP_LIMIT, limit, 'limit subvolume', subvolume);
      });
    },
  };
}
