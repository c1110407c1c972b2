import { mkdirSync } from 'node:fs';
import { messageOf } from '../../kit/errors.ts';
import { type Owner, rootOf } from '../../kit/id-maps.ts';
import { closeDescriptor } from '../../kit/linux/libc.ts';
import { copyMount, type Mounts, setIdMap, showMount } from '../../kit/linux/mounts.ts';
import { withUserNamespace } from '../../kit/linux/user-namespaces.ts';
import type { IdMaps } from '../../proto/gen/longshore/contract/v1/id_maps.ts';
import { errors } from './errors.ts';

/** A driver's directory once more, with the users and groups that its files have on the host for containers. */
export interface MappedHome {
  path: string;
  /** Root of containers. */
  root: Owner;
}

/**
 * Shows a driver's directory at another place with id maps: overlays of what is there have the maps too, while on the disk
 * files stay as in their images. One of an earlier life is replaced; overlays that were made of it hold on to it by themselves.
 */
export async function openMappedHome(
  directory: string,
  path: string,
  maps: IdMaps,
  mounts: Mounts,
): Promise<MappedHome> {
  mkdirSync(directory, { recursive: true, mode: 0o711 });
  mkdirSync(path, { recursive: true, mode: 0o711 });
  closeMappedHome(path, mounts);
  try {
    await withUserNamespace(maps, (userNamespace) => {
      const tree = copyMount(directory);
      try {
        setIdMap(tree, userNamespace, directory);
        showMount(tree, path);
      } finally {
        closeDescriptor(tree);
      }
    });
  } catch (cause) {
    throw errors.idMapsUnsupported({ problem: messageOf(cause) }, { cause });
  }
  return { path, root: rootOf(maps) };
}

export function closeMappedHome(path: string, mounts: Pick<Mounts, 'unmount'>): void {
  while (mounts.unmount(path, { detach: true }));
}
