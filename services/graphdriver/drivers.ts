import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf } from '../../kit/errors.ts';
import { createBtrfs } from '../../kit/linux/btrfs.ts';
import { FilesystemType, filesystemType } from '../../kit/linux/files.ts';
import type { Mounts } from '../../kit/linux/mounts.ts';
import { openBtrfs } from './btrfs.ts';
import type { DriverName, LayerDriver } from './driver.ts';
import { ownerOf } from './home.ts';
import type { MappedHome } from './mapped-home.ts';
import { openOverlay2 } from './overlay2.ts';
import { probeOverlay } from './probe-overlay.ts';
import { openVfs } from './vfs.ts';
import type { WorkerPool } from './work/worker-pool.ts';

/** A driver that may be chosen for a data root. */
export interface DriverChoice {
  name: DriverName;
  /** Its directory below the data root. */
  directory: string;
  /** Why it cannot work here; undefined when it can. */
  problem(): string | undefined;
  /** Whether this engine has layers of it here. */
  wasUsed(engineId: string): boolean;
  open(mapped?: MappedHome): LayerDriver;
}

/** The drivers in the order in which they are tried. */
export function driverChoices(root: string, { mounts, pool }: { mounts: Mounts; pool: WorkerPool }): DriverChoice[] {
  const at = (name: string) => join(root, name);
  const present = (directory: string) => (existsSync(directory) ? directory : root);
  const btrfs = createBtrfs();
  return [
    {
      name: 'overlay2',
      directory: at('overlay2'),
      problem: () => probeOverlay(present(at('overlay2')), mounts),
      wasUsed: (engineId) => hasLayers(at('overlay2'), at('overlay2'), engineId),
      open: (mapped) => openOverlay2(at('overlay2'), { mounts, pool, mapped }),
    },
    {
      name: 'btrfs',
      directory: at('btrfs'),
      problem: () => btrfsProblem(present(at('btrfs'))),
      wasUsed: (engineId) => hasLayers(at('btrfs'), at('btrfs/subvolumes'), engineId),
      open: () => openBtrfs(at('btrfs'), { btrfs, pool }),
    },
    {
      name: 'vfs',
      directory: at('vfs'),
      problem: () => undefined,
      wasUsed: (engineId) => hasLayers(at('vfs'), at('vfs/dir'), engineId),
      open: () => openVfs(at('vfs'), { mounts, pool }),
    },
  ];
}

function hasLayers(directory: string, layers: string, engineId: string): boolean {
  const owner = ownerOf(directory);
  if (typeof owner === 'string' || owner.engineId !== engineId || !existsSync(layers)) return false;
  return readdirSync(layers).some((name) => /^[0-9a-f]{64}$/.test(name));
}

function btrfsProblem(directory: string): string | undefined {
  try {
    if (filesystemType(directory) === FilesystemType.BTRFS) return undefined;
  } catch (error) {
    return messageOf(error);
  }
  return 'the data root is not on a btrfs filesystem';
}
