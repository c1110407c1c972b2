import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { logFile } from './logs/files.ts';

/** Where the exec driver keeps what. Below the data root what must survive a reboot, below the exec root what must not. */
export interface Paths {
  readonly bundles: string;
  /** One directory for each exec that runs. */
  readonly execs: string;
  /** One directory for each container that has been probed. */
  readonly probes: string;
  readonly exits: string;
  readonly logs: string;
  bundleOf(id: string): string;
  execOf(exec: string): string;
  probesOf(id: string): string;
  /** A tmpfs for /dev/shm of containers that share it. */
  shmOf(id: string): string;
  /** The monitor writes the exit code here. */
  exitFileOf(id: string): string;
  logDirectoryOf(id: string): string;
  logFileOf(id: string): string;
}

export function makePaths(dataRoot: string, execRoot: string): Paths {
  const bundles = join(execRoot, 'bundles');
  const execs = join(execRoot, 'execs');
  const probes = join(execRoot, 'probes');
  const exits = join(dataRoot, 'execdriver', 'exits');
  const logs = join(dataRoot, 'execdriver', 'logs');
  for (const directory of [bundles, execs, probes, exits, logs]) mkdirSync(directory, { recursive: true, mode: 0o700 });
  return {
    bundles,
    execs,
    probes,
    exits,
    logs,
    bundleOf: (id) => join(bundles, id),
    execOf: (exec) => join(execs, exec),
    probesOf: (id) => join(probes, id),
    shmOf: (id) => join(bundles, id, 'shm'),
    exitFileOf: (id) => join(exits, id),
    logDirectoryOf: (id) => join(logs, id),
    logFileOf: (id) => join(logs, id, logFile),
  };
}
