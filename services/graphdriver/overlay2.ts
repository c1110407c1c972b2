import { chmodSync, existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { fromText } from '../../kit/archive/bytes.ts';
import { asFileOwner } from '../../kit/linux/credentials.ts';
import type { Mounts } from '../../kit/linux/mounts.ts';
import type { Overlay } from '../../kit/linux/overlay.ts';
import { hasCode } from '../../kit/linux/system-error.ts';
import type { Chain, LayerDriver, LayerId, LayerOptions } from './driver.ts';
import { errors } from './errors.ts';
import { filesystemName } from './filesystem-name.ts';
import { openHome } from './home.ts';
import type { MappedHome } from './mapped-home.ts';
import { setRootAttributes } from './root-attributes.ts';
import { sweepHome } from './sweep.ts';
import type { WorkerPool } from './work/worker-pool.ts';

const writableDirectories = ['diff', 'work', 'merged'];
/** Not under the feet of the client that has just heard of a layer. */
const spareRestMs = 20;

/** OVL_MAX_STACK of the kernel: lower layers of one overlay. */
const maxLowers = 500;

/**
 * Layers as overlayfs merges them.
 *
 *     overlay2/<id>/diff     the layer's own files, with overlayfs's whiteouts
 *     overlay2/<id>/work     overlayfs's own; writable layers only
 *     overlay2/<id>/merged   where the view is mounted
 *     overlay2/empty         the second lower directory that a mount of a single layer needs
 *     overlay2/spare         directories for the writable layer that is made next: a disk takes half a millisecond for them
 */
export function openOverlay2(
  directory: string,
  { mounts, pool, mapped }: { mounts: Mounts; pool: WorkerPool; mapped?: MappedHome | undefined },
): LayerDriver {
  const home = openHome(directory);
  // Root of containers that is not root passes through to its own layer, and sees no other's name.
  const passage = mapped === undefined ? 0o710 : 0o711;
  if (mapped !== undefined) chmodSync(directory, passage);
  const diff = (layer: LayerId) => join(home.path(layer), 'diff');
  const merged = (layer: LayerId) => join(home.path(layer), 'merged');
  const empty = join(directory, 'empty');
  mkdirSync(empty, { recursive: true });
  const options = overlayOptions();

  function checkDepth(layer: LayerId, ancestors: readonly LayerId[]): void {
    const limit = maxLowers;
    if (ancestors.length + 1 > limit) throw errors.chainTooDeep({ layer, depth: ancestors.length + 1, limit });
  }

  /** Makes an entry of the home with these directories in it. */
  function makeEntry(name: string, directories: readonly string[]): void {
    const path = join(directory, name);
    mkdirSync(path, passage);
    if (mapped !== undefined) chmodSync(path, passage);
    for (const inner of directories) mkdirSync(join(path, inner), 0o755);
  }

  const spare = join(directory, 'spare');
  let hasSpare = false;
  let isMaking = false;
  // It may be a half of one.
  rmSync(spare, { recursive: true, force: true });

  /** A moment after a layer was made, while nobody waits. */
  function prepareSpare(): void {
    if (isMaking) return;
    isMaking = true;
    setTimeout(() => {
      isMaking = false;
      try {
        makeEntry('spare', writableDirectories);
        hasSpare = true;
      } catch {
        // The next layer makes its own, and says what is wrong.
      }
    }, spareRestMs).unref();
  }

  /** False when somebody has taken it away. */
  function takeSpare(layer: LayerId): boolean {
    try {
      renameSync(spare, home.path(layer));
      return true;
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return false;
      throw error;
    }
  }

  function makeWritable(layer: LayerId, parent: LayerId | undefined): void {
    if (!hasSpare || !takeSpare(layer)) makeEntry(layer, writableDirectories);
    hasSpare = false;
    prepareSpare();
    setRootAttributes(diff(layer), parent === undefined ? undefined : diff(parent));
  }

  /** Views that have gone, of which the kernel may still write out what was changed. */
  const ending = new Map<LayerId, Promise<void>>();

  function unmount(layer: LayerId): void {
    // More than one is there only if someone else mounted over ours.
    for (let end = mounts.detach(merged(layer)); end !== undefined; end = mounts.detach(merged(layer))) {
      const last = end.then(() => {
        if (ending.get(layer) === last) ending.delete(layer);
      });
      ending.set(layer, last);
    }
  }

  const driver: LayerDriver = {
    name: 'overlay2',
    status: [
      { name: 'Backing Filesystem', value: filesystemName(directory) },
      { name: 'Supports d_type', value: 'true' },
      { name: 'Using metacopy', value: 'false' },
      { name: 'Native Overlay Diff', value: 'true' },
      { name: 'userxattr', value: 'false' },
    ],
    list: home.list,

    async create(layer, ancestors, given) {
      refuseOptions(given);
      checkDepth(layer, ancestors);
      try {
        makeWritable(layer, ancestors[0]);
      } catch (error) {
        if (!hasCode(error, 'EEXIST', 'ENOTEMPTY')) throw error;
        unmount(layer);
        home.takeAway(layer);
        makeWritable(layer, ancestors[0]);
      }
    },

    async stage(layer, ancestors) {
      checkDepth(layer, ancestors);
      const name = home.temporaryName(layer);
      const [parent] = ancestors;
      makeEntry(name, ['diff', 'merged']);
      setRootAttributes(join(directory, name, 'diff'), parent === undefined ? undefined : diff(parent));
      const lowers = ancestors.map((ancestor) => fromText(diff(ancestor)));
      return { name, target: { root: fromText(join(directory, name, 'diff')), whiteouts: 'overlay', lowers } };
    },

    seal(layer, { name }) {
      if (existsSync(home.path(layer))) {
        unmount(layer);
        home.takeAway(layer);
      }
      home.settle(name, layer);
    },

    discard({ name }) {
      home.takeAway(name);
    },

    async mount(layer, { ancestors, isWritable, hostIds }) {
      // Two overlays at once on one upper directory are undefined, Documentation/filesystems/overlayfs.rst.
      await ending.get(layer);
      const maps = hostIds ? undefined : mapped;
      const seen = (path: string) => (maps === undefined ? path : join(maps.path, relative(directory, path)));
      const mountOverlay = (overlay: Overlay) =>
        // Overlayfs makes files for others as who has mounted it.
        asFileOwner(maps?.root ?? { uid: 0, gid: 0 }, () => mounts.mountOverlay(overlay));
      const target = merged(layer);
      const below = ancestors.map((ancestor) => seen(diff(ancestor)));
      if (isWritable) {
        const lower = below.length === 0 ? [seen(empty)] : below;
        const work = seen(join(home.path(layer), 'work'));
        mountOverlay({ lower, upper: seen(diff(layer)), work, target, options });
      } else {
        // The kernel merges nothing out of a single directory.
        const lower = [seen(diff(layer)), ...(below.length === 0 ? [seen(empty)] : below)];
        mountOverlay({ lower, target, options });
      }
      return target;
    },

    unmount,

    mounted() {
      const found = new Set<LayerId>();
      for (const { target } of mounts.list(directory)) {
        if (basename(target) === 'merged' && dirname(dirname(target)) === directory)
          found.add(basename(dirname(target)));
      }
      return found;
    },

    isMountNeeded: () => true,

    remove(layer) {
      unmount(layer);
      home.takeAway(layer);
    },

    sweep: () => sweepHome(home, async (path) => pool.run('delete', { path })),

    directories: (layer, ancestors) => ({
      ...(ancestors.length > 0 && { LowerDir: ancestors.map(diff).join(':') }),
      MergedDir: merged(layer),
      UpperDir: diff(layer),
      WorkDir: join(home.path(layer), 'work'),
    }),

    difference: (layer, { ancestors, isWritable }: Chain) => ({
      kind: 'overlay',
      upper: fromText(diff(layer)),
      lowers: ancestors.map((ancestor) => fromText(diff(ancestor))),
      hidesMountPoints: isWritable,
    }),
  };
  return driver;
}

/**
 * What would make a layer's directory readable by overlayfs alone is off: file indexes, files without their content
 * (metacopy) and renamed directories (redirects, which a layer's author could also point elsewhere). A kernel that lacks an
 * option has no such thing to be turned off.
 */
export function overlayOptions(): Record<string, string> {
  const off = { index: 'off', metacopy: 'off', redirect_dir: 'nofollow' };
  const known = Object.entries(off).filter(([name]) => existsSync(`/sys/module/overlay/parameters/${name}`));
  return Object.fromEntries(known);
}

function refuseOptions(options: LayerOptions): void {
  const [option] = Object.keys(options);
  if (option === undefined) return;
  const problem =
    option === 'size'
      ? 'it cannot limit a layer’s size; the btrfs driver can, or leave the option out'
      : 'it has no such option; leave it out';
  throw errors.badOption({ option, driver: 'overlay2', problem });
}
