import { existsSync, mkdirSync, rmdirSync } from 'node:fs';
import { messageOf } from '../../../kit/errors.ts';
import type { Mounts } from '../../../kit/linux/mounts.ts';
import { MountFlag } from '../../../kit/linux/mounts.ts';
import { controllersOf, type Hierarchies } from './hierarchies.ts';
import { childCgroups } from './tree.ts';

/**
 * crun refuses a hybrid host on which a controller was left to the unified tree ("cgroups in hybrid mode not supported, drop
 * all controllers from cgroupv2"). Mounting such a controller as version 1 takes it out of there.
 */
export interface StrayControllers {
  /** Mounts what is stray now. Returns a warning a piece. Costs the reading of one small file when there is nothing to do. */
  claim(): string[];
  /** Unmounts what claim has mounted, now or in an earlier life, where nobody else has made cgroups in it. */
  release(): string[];
}

/** Where it is remembered that a mount is ours. */
export interface ClaimedMounts {
  add(target: string): void;
  list(): string[];
  remove(target: string): void;
}

export function strayControllers(hierarchies: Hierarchies, mounts: Mounts, claimed: ClaimedMounts): StrayControllers {
  const unified =
    hierarchies.layout === 'hybrid' ? hierarchies.all.find(({ version }) => version === 2)?.root : undefined;
  const options = MountFlag.NOSUID | MountFlag.NODEV | MountFlag.NOEXEC;

  return {
    claim() {
      if (unified === undefined) return [];
      return controllersOf(unified).flatMap((controller) => {
        const target = `/sys/fs/cgroup/${controller}`;
        try {
          claimed.add(target);
          mkdirSync(target, { recursive: true });
          mounts.mount('cgroup', target, 'cgroup', options, controller);
          return [
            `mounted the cgroup controller ${controller} at ${target}: crun needs it out of the unified hierarchy`,
          ];
        } catch (error) {
          return [`cannot mount the cgroup controller ${controller}, which crun needs: ${messageOf(error)}`];
        }
      });
    },
    release() {
      return claimed.list().flatMap((target) => {
        try {
          // A version 1 tree that has cgroups in it stays alive when it is unmounted, but nobody could see it any more.
          if (existsSync(`${target}/cgroup.procs`) && childCgroups(target).length > 0) return [];
          mounts.unmount(target);
          if (existsSync(target)) rmdirSync(target);
          claimed.remove(target);
          return [];
        } catch (error) {
          return [`cannot unmount ${target}: ${messageOf(error)}`];
        }
      });
    },
  };
}
