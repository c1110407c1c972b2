import { mkdirSync, realpathSync, renameSync, rmSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Config } from '../config.ts';
import type { Step } from './boot.ts';

export interface Directories {
  /** Canonical. */
  readonly dataRoot: string;
  readonly execRoot: string;
  /** Empty at each start, and TMPDIR of what the engine runs. */
  readonly tmp: string;
}

/** Work directories. What an earlier life left in tmp is set aside and deleted while the boot goes on. */
export const makeDirectories = (config: Config): Step<Directories> => ({
  name: 'make work directories',
  run(step) {
    const dataRoot = realpathSync(config.dataRoot);
    const execRoot = realpathSync(config.execRoot);
    mkdirSync(join(dataRoot, 'daemon'), { recursive: true, mode: 0o700 });
    const tmp = join(dataRoot, 'tmp');
    const old = join(dataRoot, 'tmp-old');
    rmSync(old, { recursive: true, force: true });
    try {
      renameSync(tmp, old);
      rm(old, { recursive: true, force: true }).catch(() => {});
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
    mkdirSync(tmp, { mode: 0o700 });
    const before = process.env.TMPDIR;
    process.env.TMPDIR = tmp;
    step.defer(() => {
      if (before === undefined) delete process.env.TMPDIR;
      else process.env.TMPDIR = before;
    });
    step.say(dataRoot);
    return { dataRoot, execRoot, tmp };
  },
});
