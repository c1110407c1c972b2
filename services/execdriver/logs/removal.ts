import { randomBytes } from 'node:crypto';
import { readdirSync, renameSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { hasCode } from '../../../kit/linux/system-error.ts';
import type { Logger } from '../../../kit/log.ts';
import type { Paths } from '../paths.ts';

/** Logs may be large, and are on a disk: they are nobody's at once, and deleted beside the main thread. */
export interface LogRemoval {
  /** Harmless when there are none. */
  remove(id: string): void;
  /** Resolves when all that was begun with is deleted. */
  settled(): Promise<void>;
}

const prefix = 'removing-';

/** Goes on with what an earlier life has begun with. */
export function openLogRemoval({ logs, logDirectoryOf }: Paths, log: Logger): LogRemoval {
  const pending = new Set<Promise<void>>();
  const remove = (name: string) => {
    const removed = rm(join(logs, name), { recursive: true, force: true })
      .catch((err: unknown) => log.warn({ err }, 'logs of a removed container stay until the next start'))
      .then(() => void pending.delete(removed));
    pending.add(removed);
  };
  for (const name of readdirSync(logs)) if (name.startsWith(prefix)) remove(name);
  return {
    remove(id) {
      const name = `${prefix}${id}-${randomBytes(6).toString('hex')}`;
      try {
        renameSync(logDirectoryOf(id), join(logs, name));
      } catch (error) {
        if (hasCode(error, 'ENOENT')) return;
        throw error;
      }
      remove(name);
    },
    settled: async () => void (await Promise.all(pending)),
  };
}
