import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, rmdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { messageOf } from '../../../kit/errors.ts';
import { DirectoryLocked, lockDirectory } from '../../../kit/linux/lock.ts';
import { bootId } from '../../../kit/linux/process.ts';
import { recordFiles } from '../../../kit/record-files.ts';
import { openRecords, type Records } from '../../../kit/records.ts';
import { refuseNewer } from '../../../kit/records-version.ts';
import type { Fence } from '../../../proto/gen/longshore/contract/v1/fence.ts';
import type { Config } from '../config.ts';
import type { Step } from './boot.ts';
import { errors } from './errors.ts';
import { type Living, living, recordedAsRunning } from './living.ts';

export interface Roots {
  readonly living: Living;
  /** Who commands the services from now on. */
  readonly fence: Fence;
}

const migrations = ['CREATE TABLE engine (id TEXT NOT NULL, epoch INTEGER NOT NULL) STRICT'];

/**
 * One engine a root: both directories are locked for as long as this process lives, before any service is started or
 * adopted. Their first lock makes the engine's id; each one raises its epoch.
 */
export const lockRoots = (config: Config): Step<Roots> => ({
  name: 'lock the roots',
  async run(step) {
    for (const root of new Set([config.dataRoot, config.execRoot])) {
      makeRoot(root, (made) => step.defer(() => removeIfEmpty(made)));
      const lock = await lockDirectory(root, 'longshore daemon').catch((error: unknown) => {
        if (error instanceof DirectoryLocked)
          throw errors.rootInUse({ root, holder: error.pid === undefined ? '' : `pid ${error.pid}` }, { cause: error });
        throw error;
      });
      step.defer(() => lock.release());
    }
    for (const [file, known] of Object.entries(recordFiles)) refuseNewer(join(config.dataRoot, file), known);
    const records = openRecords(join(config.dataRoot, 'daemon', 'engine.db'), { migrations });
    step.defer(() => records.close());
    const fence = claimEpoch(records);
    // The owners keep it too: an epoch that a power cut took back would lock us out.
    await records.synced();
    step.say(`engine ${fence.engineId.slice(0, 12)}, epoch ${fence.epoch}`);
    return {
      fence,
      living: living(() =>
        config.liveRestore ? recordedAsRunning(join(config.dataRoot, 'daemon', 'containers.db')) : [],
      ),
    };
  },
});

function makeRoot(root: string, made: (path: string) => void): void {
  try {
    if (makeFolder(root)) made(root);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    const why = code === 'EACCES' ? 'permission denied: run the engine as root (sudo)' : messageOf(cause);
    throw errors.rootUnusable({ root, why }, { cause });
  }
}

/** With its parents. (Node's own recursive mkdir never ends where the parent is there but refuses, as /proc does.) */
function makeFolder(path: string): boolean {
  try {
    mkdirSync(path, { mode: 0o711 });
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST' && statSync(path).isDirectory()) return false;
    if (code !== 'ENOENT' || existsSync(dirname(path))) throw error;
  }
  makeFolder(dirname(path));
  mkdirSync(path, { mode: 0o711 });
  return true;
}

function removeIfEmpty(root: string): void {
  try {
    rmdirSync(root);
  } catch {
    // Records and logs are in it: they stay.
  }
}

function claimEpoch(records: Records): Fence {
  return records.transaction(() => {
    const row = records.prepare('SELECT id, epoch FROM engine').get() as { id: string; epoch: number } | undefined;
    if (row === undefined) {
      const engineId = randomBytes(16).toString('hex');
      records.prepare('INSERT INTO engine (id, epoch) VALUES (?, 1)').run(engineId);
      return { engineId, epoch: 1, bootId: bootId() };
    }
    records.prepare('UPDATE engine SET epoch = ?').run(row.epoch + 1);
    return { engineId: row.id, epoch: row.epoch + 1, bootId: bootId() };
  });
}
