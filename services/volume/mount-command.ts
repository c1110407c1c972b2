import { execFile } from 'node:child_process';
import { lookup } from 'node:dns/promises';
import { promisify } from 'node:util';
import { serverNameOf, type VolumeMount, withServerAddress } from './mount-options.ts';

/**
 * mount(8) and umount(8) in a process of their own: with a server that doesn't answer they hang, and must not hang us.
 */
export interface MountCommand {
  /** Rejects with the reason in words. */
  mount(mount: VolumeMount, target: string): Promise<void>;
  unmount(target: string): Promise<void>;
}

const run = promisify(execFile);
/** A server that hasn't answered by then is not there. */
const timeoutMs = 60_000;
const environment = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' };

export function createMountCommand(): MountCommand {
  return {
    async mount(mount, target) {
      const server = serverNameOf(mount);
      const resolved = server === undefined ? mount : withServerAddress(mount, (await lookup(server)).address);
      // -i: the kernel alone, without helpers, as Docker does it; -n: nothing is noted in /etc/mtab.
      const options = resolved.options === '' ? [] : ['-o', resolved.options];
      await runOrSay('mount', ['-i', '-n', '-t', resolved.type, ...options, '--', resolved.device, target]);
    },
    unmount: (target) => runOrSay('umount', ['-i', '-n', '--', target]),
  };
}

async function runOrSay(command: string, args: readonly string[]): Promise<void> {
  try {
    await run(command, [...args], { timeout: timeoutMs, killSignal: 'SIGKILL', env: environment });
  } catch (error) {
    throw new Error(problemOf(command, error), { cause: error });
  }
}

function problemOf(command: string, error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if ('killed' in error && error.killed === true) return `${command} has not ended after ${timeoutMs / 1000} s`;
  const said = 'stderr' in error ? String(error.stderr).trim() : '';
  return said === '' ? error.message : (said.split('\n')[0] ?? said);
}
