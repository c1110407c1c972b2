import { closeSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, unlinkSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Config } from '../config.ts';
import type { Step } from './boot.ts';
import { errors } from './errors.ts';

/**
 * Claims the pidfile: exclusively, and telling a living process of ours from a stale file and from a pid that something
 * else has by now. Released last but for the locks.
 */
export const claimPidfile = (config: Config): Step<void> => ({
  name: 'claim pidfile',
  run(step) {
    const { pidfile } = config;
    mkdirSync(dirname(pidfile), { recursive: true, mode: 0o755 });
    if (!create(pidfile)) {
      const pid = livingEngine(pidfile);
      if (pid !== undefined) throw errors.pidfileInUse({ pid, pidfile });
      setAside(pidfile);
      if (!create(pidfile)) throw errors.pidfileUnusable({ pidfile, why: 'another engine has just claimed it' });
    }
    step.defer(() => rmSync(pidfile, { force: true }));
  },
});

function create(pidfile: string): boolean {
  let fd: number;
  try {
    fd = openSync(pidfile, 'wx', 0o644);
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    if (code === 'EEXIST') return false;
    throw errors.pidfileUnusable({ pidfile, why: message }, { cause });
  }
  writeSync(fd, `${process.pid}\n`);
  closeSync(fd);
  return true;
}

/** Out of the way by a rename, which one of two starts wins, not by a removal, which both would. */
function setAside(pidfile: string): void {
  const stale = `${pidfile}.stale-${process.pid}`;
  try {
    renameSync(pidfile, stale);
    unlinkSync(stale);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ENOENT')
      throw errors.pidfileUnusable({ pidfile, why: (cause as Error).message }, { cause });
  }
}

/** The pid in the file when a coordinator of ours has it now. */
function livingEngine(pidfile: string): number | undefined {
  const pid = Number(read(pidfile).trim());
  if (!Number.isSafeInteger(pid) || pid <= 0 || pid === process.pid) return undefined;
  const program = read(`/proc/${pid}/cmdline`)
    .split('\0')
    .find((arg) => /\/(daemon|embedded)(\.cjs|\/main\.ts)$|\/embedded\.ts$/.test(arg));
  return program === undefined ? undefined : pid;
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
