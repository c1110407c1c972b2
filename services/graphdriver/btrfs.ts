import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fromText } from '../../kit/archive/bytes.ts';
import { parseSize } from '../../kit/byte-size.ts';
import type { Btrfs } from '../../kit/linux/btrfs.ts';
import { hasCode } from '../../kit/linux/system-error.ts';
import type { LayerDriver, LayerId, LayerOptions } from './driver.ts';
import { errors } from './errors.ts';
import { openHome } from './home.ts';
import { setRootAttributes } from './root-attributes.ts';
import { sweepHome } from './sweep.ts';
import type { WorkerPool } from './work/worker-pool.ts';

/**
 * Each layer is a subvolume: a snapshot of its parent's with its difference made. Sealed ones are read-only. There is
 * nothing to mount.
 *
 *     btrfs/subvolumes/<id>
 */
export function openBtrfs(directory: string, { btrfs, pool }: { btrfs: Btrfs; pool: WorkerPool }): LayerDriver {
  const subvolumes = join(directory, 'subvolumes');
  mkdirSync(subvolumes, { recursive: true, mode: 0o710 });
  const home = openHome(subvolumes);

  function makeSubvolume(name: string, parent: LayerId | undefined): void {
    if (parent !== undefined) {
      btrfs.snapshot(home.path(parent), subvolumes, name);
      return;
    }
    btrfs.createSubvolume(subvolumes, name);
    setRootAttributes(join(subvolumes, name), undefined);
  }

  async function destroy(path: string, name: string): Promise<void> {
    btrfs.setReadOnly(path, false);
    try {
      btrfs.deleteSubvolume(subvolumes, name);
    } catch (error) {
      // A container made subvolumes of its own; rmdir(2) deletes an empty one.
      if (!hasCode(error, 'ENOTEMPTY')) throw error;
      await pool.run('delete', { path });
    }
  }

  return {
    name: 'btrfs',
    status: [{ name: 'Backing Filesystem', value: 'btrfs' }],
    list: home.list,

    async create(layer, ancestors, options) {
      const limit = sizeLimit(options);
      const name = home.temporaryName(layer);
      makeSubvolume(name, ancestors[0]);
      try {
        if (limit !== undefined) btrfs.limitSubvolume(join(subvolumes, name), limit);
      } catch (error) {
        home.takeAway(name);
        throw error;
      }
      if (existsSync(home.path(layer))) home.takeAway(layer);
      home.settle(name, layer);
    },

    async stage(layer, ancestors) {
      const name = home.temporaryName(layer);
      makeSubvolume(name, ancestors[0]);
      return { name, target: { root: fromText(join(subvolumes, name)), whiteouts: 'in place', lowers: [] } };
    },

    seal(layer, { name }) {
      btrfs.setReadOnly(join(subvolumes, name), true);
      home.takeAway(layer);
      home.settle(name, layer);
    },

    discard({ name }) {
      home.takeAway(name);
    },

    mount: async (layer) => home.path(layer),
    unmount() {},
    mounted: () => new Set(),
    isMountNeeded: () => false,

    remove(layer) {
      home.takeAway(layer);
    },

    sweep: () => sweepHome(home, destroy),

    directories: () => ({}),

    difference: (layer, { ancestors: [parent], isWritable }) => ({
      kind: 'trees',
      tree: fromText(home.path(layer)),
      parent: parent === undefined ? undefined : fromText(home.path(parent)),
      hidesMountPoints: isWritable,
    }),
  };
}

function sizeLimit(options: LayerOptions): number | undefined {
  const other = Object.keys(options).find((option) => option !== 'size');
  if (other !== undefined) {
    throw errors.badOption({ option: other, driver: 'btrfs', problem: 'it has no such option, only size' });
  }
  const { size } = options;
  if (size === undefined) return undefined;
  const bytes = parseSize(size);
  if (bytes === undefined || bytes === 0) {
    throw errors.badOption({
      option: 'size',
      driver: 'btrfs',
      problem: `${JSON.stringify(size)} is no size such as 10G`,
    });
  }
  return bytes;
}
