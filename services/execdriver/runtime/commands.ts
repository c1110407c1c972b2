import { readlinkSync } from 'node:fs';
import type { Processes } from '../../../kit/linux/spawn.ts';
import { errors } from '../errors.ts';
import { runProgram } from './programs.ts';
import type { Runtime } from './runtime.ts';

/** Any OCI runtime, by the commands that the specification and runc's custom give it. */
export function runtimeByCommands(
  processes: Processes,
  runtime: { name: string; path: string; version: string; root: string },
): Runtime {
  const { name, path, version, root } = runtime;
  const globalArguments = ['--root', root];
  const run = async (...args: string[]) => {
    const { code, text } = await runProgram(processes, path, [...globalArguments, ...args]);
    if (code !== 0)
      throw errors.runtimeFailed({ detail: `${name} ${args[0]}: ${text.trim() || `exit status ${code}`}` });
  };
  return {
    name,
    path,
    version,
    globalArguments,
    prepare: (spec) => spec,
    created() {},
    start: (id) => run('start', id),
    hasStarted(_id, pid) {
      // Until it runs its command, the init is the runtime itself.
      try {
        return !readlinkSync(`/proc/${pid}/exe`).includes(name);
      } catch {
        return false;
      }
    },
    // With --force also what is not there is success.
    remove: (id) => run('delete', '--force', id),
  };
}
