import { chown, mkdir, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Owner } from '../../kit/id-maps.ts';
import type { Mounts } from '../../kit/linux/mounts.ts';
import { deleteFiles } from './delete-files.ts';
import type { VolumeDriver } from './driver.ts';
import { errors } from './errors.ts';
import type { MountCommand } from './mount-command.ts';
import { volumeMountOf } from './mount-options.ts';

/**
 * Volumes are directories `<root>/<name>/_data`; with options, what they say is mounted there while somebody runs with it.
 * `owner`: whose a new one is.
 */
export function createLocalDriver(
  root: string,
  mounts: Pick<Mounts, 'list'>,
  command: MountCommand,
  owner: () => Owner = () => ({ uid: 0, gid: 0 }),
): VolumeDriver {
  const mountpoint = (name: string) => join(root, name, '_data');
  const isMounted = (name: string) => mounts.list(mountpoint(name)).some((mount) => mount.target === mountpoint(name));

  const create = async (name: string) => {
    await mkdir(join(root, name), { recursive: true, mode: 0o701 });
    const made = await mkdir(mountpoint(name), { recursive: true, mode: 0o755 });
    const { uid, gid } = owner();
    if (made !== undefined && (uid !== 0 || gid !== 0)) await chown(mountpoint(name), uid, gid);
  };

  const driver: VolumeDriver = {
    name: 'local',
    scope: 'local',
    mountpoint,
    create,
    check(name, options) {
      volumeMountOf(name, options);
    },
    async mount(name, options) {
      await create(name);
      const mount = volumeMountOf(name, options);
      if (mount === undefined || isMounted(name)) return;
      try {
        await command.mount(mount, mountpoint(name));
      } catch (error) {
        const problem = error instanceof Error ? error.message : String(error);
        throw errors.mountFailed({ name, mountpoint: mountpoint(name), problem }, { cause: error });
      }
    },
    async unmount(name, options) {
      if (volumeMountOf(name, options) !== undefined && isMounted(name)) await command.unmount(mountpoint(name));
    },
    async remove(name) {
      const directory = join(root, name);
      if (isMounted(name)) await command.unmount(mountpoint(name));
      // What is mounted belongs to somebody else, and would be deleted with the volume.
      const left = mounts.list(directory).map((mount) => mount.target);
      if (left.length > 0) throw errors.volumeBusy({ name, mounts: left.join(', ') });
      await deleteFiles(directory);
    },
    async list(isKnown) {
      const entries = await readdir(root, { withFileTypes: true });
      const directories = entries
        .filter((entry) => entry.isDirectory() && !isKnown(entry.name))
        .map(({ name }) => name);
      const hasData = (name: string) =>
        stat(mountpoint(name)).then(
          (found) => found.isDirectory(),
          () => false,
        );
      const found = await Promise.all(directories.map(async (name) => ((await hasData(name)) ? [name] : [])));
      return found.flat();
    },
  };
  return driver;
}
