import { readdirSync, readFileSync } from 'node:fs';
import { unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Mounts } from '../../../kit/linux/mounts.ts';
import type { Hierarchies } from '../cgroups/hierarchies.ts';
import { childCgroups, removeCgroup } from '../cgroups/tree.ts';
import type { Paths } from '../paths.ts';
import { removeFile, removeTree } from '../removal.ts';
import type { Runtimes } from '../runtime/runtimes.ts';

/** What of a container is left when its processes are gone: what the runtime keeps, cgroups, bundle, exit file. */
export interface Remains {
  /** Removes it all, ending what still lives of it. May be repeated. */
  clear(container: { id: string; runtime: string; cgroup: string }): Promise<void>;
  /** Begins to remove the exit file of one whose end is recorded; `clear` waits for that. */
  dropExitFile(id: string): void;
  /** What is there of containers of which there is no record. */
  unrecorded(isRecorded: (id: string) => boolean): { id: string; runtime: string; cgroup: string }[];
}

export function openRemains(parts: {
  paths: Paths;
  hierarchies: Hierarchies;
  runtimes: Runtimes;
  mounts: Mounts;
  /** The engine's own, in which what has a container's name is a container of ours: `/longshore-1f2e`. */
  cgroupHome: string;
}): Remains {
  const { paths, hierarchies, runtimes, mounts, cgroupHome } = parts;
  /** On a disk, so not on the main thread. */
  const dropping = new Map<string, Promise<void>>();
  return {
    async clear({ id, runtime, cgroup }) {
      // First the processes: nothing else may be taken from under them.
      await removeCgroup(hierarchies, cgroup);
      await (await runtimes.find(runtime))?.remove(id);
      // Those who joined it keep it by their own mount.
      mounts.unmount(paths.shmOf(id), { detach: true });
      removeTree(paths.bundleOf(id));
      await dropping.get(id);
      removeFile(paths.exitFileOf(id));
    },
    dropExitFile(id) {
      const dropped = unlink(paths.exitFileOf(id))
        // `clear` tries again.
        .catch(() => undefined)
        .then(() => void dropping.delete(id));
      dropping.set(id, dropped);
    },
    unrecorded(isRecorded) {
      const bundles = readdirSync(paths.bundles);
      const cgroups = hierarchies.all.flatMap(({ root }) => childCgroups(`${root}${cgroupHome}`));
      const ids = new Set([...bundles, ...cgroups].filter((name) => /^[0-9a-f]{64}$/.test(name) && !isRecorded(name)));
      return [...ids].map((id) => ({ id, runtime: '', cgroup: cgroupOf(paths, id) ?? `${cgroupHome}/${id}` }));
    },
  };
}

function cgroupOf(paths: Paths, id: string): string | undefined {
  try {
    const spec: unknown = JSON.parse(readFileSync(join(paths.bundleOf(id), 'config.json'), 'utf8'));
    const linux = typeof spec === 'object' && spec !== null && 'linux' in spec ? spec.linux : undefined;
    if (typeof linux !== 'object' || linux === null || !('cgroupsPath' in linux)) return undefined;
    // Whatever wrote it: only a place of that container is cleared.
    const path = String(linux.cgroupsPath);
    return path.endsWith(`/${id}`) && !path.includes('..') ? path : undefined;
  } catch {
    return undefined;
  }
}
