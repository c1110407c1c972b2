import { existsSync, mkdirSync, rmdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fromText } from '../../kit/archive/bytes.ts';
import type { Mounts } from '../../kit/linux/mounts.ts';
import { hasCode } from '../../kit/linux/system-error.ts';
import type { LayerDriver, LayerId, LayerOptions } from './driver.ts';
import { errors } from './errors.ts';
import { filesystemName } from './filesystem-name.ts';
import { openHome } from './home.ts';
import { setRootAttributes } from './root-attributes.ts';
import { sweepHome } from './sweep.ts';
import type { WorkerPool } from './work/worker-pool.ts';

/**
 * Each layer is a whole copy of its parent with its difference made. Slow and large, but it works on every filesystem.
 *
 *     vfs/dir/<id>   the layer's files
 *     vfs/mnt/<id>   where a sealed layer is shown read-only
 */
export function openVfs(directory: string, { mounts, pool }: { mounts: Mounts; pool: WorkerPool }): LayerDriver {
  const home = openHome(join(directory, 'dir'));
  const views = join(directory, 'mnt');
  mkdirSync(views, { recursive: true, mode: 0o710 });
  const view = (layer: LayerId) => join(views, layer);

  async function copyOfParent(layer: LayerId, parent: LayerId | undefined): Promise<string> {
    const name = home.temporaryName(layer);
    const path = join(home.directory, name);
    mkdirSync(path);
    setRootAttributes(path, undefined);
    try {
      if (parent !== undefined) await pool.run('copy', { from: fromText(home.path(parent)), to: fromText(path) });
    } catch (error) {
      home.takeAway(name);
      throw error;
    }
    return name;
  }

  function unmount(layer: LayerId): void {
    while (mounts.unmount(view(layer), { detach: true }));
    try {
      rmdirSync(view(layer));
    } catch (error) {
      if (!hasCode(error, 'ENOENT')) throw error;
    }
  }

  return {
    name: 'vfs',
    status: [{ name: 'Backing Filesystem', value: filesystemName(directory) }],
    list: home.list,

    async create(layer, ancestors, options) {
      refuseOptions(options);
      const name = await copyOfParent(layer, ancestors[0]);
      if (existsSync(home.path(layer))) home.takeAway(layer);
      home.settle(name, layer);
    },

    async stage(layer, ancestors) {
      const name = await copyOfParent(layer, ancestors[0]);
      const root = fromText(join(home.directory, name));
      return { name, target: { root, whiteouts: 'in place', lowers: [] } };
    },

    seal(layer, { name }) {
      home.takeAway(layer);
      home.settle(name, layer);
    },

    discard({ name }) {
      home.takeAway(name);
    },

    async mount(layer, { isWritable }) {
      if (isWritable) return home.path(layer);
      mkdirSync(view(layer), { recursive: true, mode: 0o755 });
      mounts.bind(home.path(layer), view(layer), { readOnly: true });
      return view(layer);
    },

    unmount,

    mounted() {
      const targets = mounts.list(views).map(({ target }) => target);
      return new Set(targets.filter((target) => dirname(target) === views).map((target) => basename(target)));
    },

    isMountNeeded: ({ isWritable }) => !isWritable,

    remove(layer) {
      unmount(layer);
      home.takeAway(layer);
    },

    sweep: () => sweepHome(home, async (path) => pool.run('delete', { path })),

    directories: () => ({}),

    difference: (layer, { ancestors: [parent], isWritable }) => ({
      kind: 'trees',
      tree: fromText(home.path(layer)),
      parent: parent === undefined ? undefined : fromText(home.path(parent)),
      hidesMountPoints: isWritable,
    }),
  };
}

function refuseOptions(options: LayerOptions): void {
  const [option] = Object.keys(options);
  if (option === undefined) return;
  throw errors.badOption({ option, driver: 'vfs', problem: 'it has no options; leave it out' });
}
