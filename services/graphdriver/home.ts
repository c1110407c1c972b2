import { randomBytes } from 'node:crypto';
import { closeSync, fsyncSync, mkdirSync, openSync, readdirSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { syncDirectory } from '../../kit/linux/files.ts';
import { hasCode } from '../../kit/linux/system-error.ts';
import type { DriverName, LayerId } from './driver.ts';
import { errors } from './errors.ts';

/**
 * A directory of layers, each in an entry named by its id. Other names say what may be deleted:
 *
 *     <id>.tmp-<random>        a layer in the making
 *     removing-<id>-<random>   a layer, or one in the making, that was taken away
 */
export interface LayerHome {
  readonly directory: string;
  path(layer: LayerId): string;
  list(): Set<LayerId>;
  /** A new name for a layer in the making. */
  temporaryName(layer: LayerId): string;
  /** Gives a layer in the making its final name, durably. */
  settle(temporaryName: string, layer: LayerId): void;
  /** Marks an entry for deletion. False when there is none. */
  takeAway(name: string): boolean;
  /** Entries to delete. */
  leftovers(): string[];
}

const idPattern = /^[0-9a-f]{64}$/;

/** Opens a home that this process alone uses: what is in the making there is nobody's any more. */
export function openHome(directory: string): LayerHome {
  mkdirSync(directory, { recursive: true, mode: 0o710 });
  const home: LayerHome = {
    directory,
    path: (layer) => join(directory, layer),
    list: () => new Set(readdirSync(directory).filter((name) => idPattern.test(name))),
    temporaryName: (layer) => `${layer}.tmp-${random()}`,
    settle(temporaryName, layer) {
      renameSync(join(directory, temporaryName), join(directory, layer));
      syncDirectory(directory);
    },
    takeAway(name) {
      try {
        renameSync(join(directory, name), join(directory, `removing-${name.slice(0, 64)}-${random()}`));
        return true;
      } catch (error) {
        if (hasCode(error, 'ENOENT')) return false;
        throw error;
      }
    },
    leftovers: () => readdirSync(directory).filter((name) => name.startsWith('removing-')),
  };
  for (const name of readdirSync(directory)) if (/^[0-9a-f]{64}\.tmp-/.test(name)) home.takeAway(name);
  return home;
}

function random(): string {
  return randomBytes(6).toString('hex');
}

const markName = '.longshore';
const unfinishedMark = '.longshore.tmp';

/** Whose a driver's directory is. */
export type Owner = 'nobody' | { engineId: string } | 'another program';

/**
 * Docker keeps its layers under the same names, and what has no record here is deleted: a driver's directory is used only
 * if it was empty at first, or bears our mark.
 */
export function ownerOf(driverDirectory: string): Owner {
  try {
    const mark = /^longshore:([0-9a-f]*):/.exec(readFileSync(join(driverDirectory, markName), 'utf8'));
    return mark === null ? 'another program' : { engineId: mark[1] ?? '' };
  } catch (error) {
    if (!hasCode(error, 'ENOENT', 'ENOTDIR')) throw error;
  }
  try {
    return readdirSync(driverDirectory).every((name) => name === unfinishedMark) ? 'nobody' : 'another program';
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return 'nobody';
    throw error;
  }
}

/** Makes a driver's directory this engine's, or throws FOREIGN_LAYERS. */
export function claimDirectory(directory: string, driver: DriverName, engineId: string): void {
  const owner = ownerOf(directory);
  if (owner === 'another program') throw errors.foreignLayers({ directory, owner: 'another program, such as Docker' });
  if (owner !== 'nobody') {
    if (owner.engineId === engineId) return;
    throw errors.foreignLayers({ directory, owner: `the engine ${owner.engineId}` });
  }
  mkdirSync(directory, { recursive: true, mode: 0o710 });
  const temporary = join(directory, unfinishedMark);
  const fd = openSync(temporary, 'w', 0o600);
  try {
    writeSync(fd, `longshore:${engineId}:${driver}\n`);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(temporary, join(directory, markName));
  syncDirectory(directory);
}
