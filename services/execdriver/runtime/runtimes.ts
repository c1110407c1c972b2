import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Processes } from '../../../kit/linux/spawn.ts';
import type { Records } from '../../../kit/records.ts';
import { errors } from '../errors.ts';
import type { EngineFacts } from '../spec/facts.ts';
import { runtimeByCommands } from './commands.ts';
import { crunByFiles, knowsLayoutOf } from './crun.ts';
import { findProgram, runProgram } from './programs.ts';
import type { Runtime } from './runtime.ts';
import type { SealedPrograms } from './sealed-programs.ts';
import { openSeccompPrograms } from './seccomp-programs.ts';

/** The OCI runtimes that containers may ask for, by name. */
export interface Runtimes {
  readonly default: Runtime;
  /** Empty: the default one. Throws UNKNOWN_RUNTIME. */
  get(name: string): Promise<Runtime>;
  /** Undefined for one that is no longer to be had. */
  find(name: string): Promise<Runtime | undefined>;
}

export interface RuntimeChoice {
  /** `crun`, `runc`, a name of `named`, or a path; empty: crun. */
  default: string;
  named: ReadonlyMap<string, string>;
}

/** Looks for the default runtime at once, for others when they are asked for. Throws RUNTIME_MISSING. */
export async function openRuntimes(
  choice: RuntimeChoice,
  parts: { processes: Processes; sealed: SealedPrograms; records: Records; facts: EngineFacts; execRoot: string },
): Promise<Runtimes> {
  const opened = new Map<string, Promise<Runtime>>();
  const defaultName = choice.default || 'crun';

  /** What it says of itself, from its sealed copy where that can be run. */
  const probe = async (file: string) => {
    const sealed = parts.sealed.pathOf(file);
    const run = async (path: string) => ({ path, ...(await runProgram(parts.processes, path, ['--version'])) });
    const said = sealed === undefined ? undefined : await run(sealed).catch(() => undefined);
    return said?.code === 0 ? said : run(file);
  };

  const open = async (name: string): Promise<Runtime> => {
    const file = findProgram(choice.named.get(name) ?? name);
    if (file === undefined) throw errors.runtimeMissing({ runtime: name });
    const { path, code, text } = await probe(file);
    if (code !== 0) throw errors.runtimeMissing({ runtime: name, detail: text.trim() });
    // `crun version 1.8.1`, `runc version 1.1.5+ds1`
    const version = /^(\S+) version (\S+)/.exec(text)?.slice(1, 3).join(' ') ?? name;
    const kind = version.split(' ')[0] ?? name;
    const root = join(parts.execRoot, kind);
    mkdirSync(root, { recursive: true, mode: 0o700 });
    const commands = runtimeByCommands(parts.processes, { name, path, version, root });
    if (!knowsLayoutOf(version)) return commands;
    const { facts, records } = parts;
    return crunByFiles(commands, root, openSeccompPrograms(records, `${text}\n${facts.kernel} ${facts.machine}`));
  };

  const get = (name: string): Promise<Runtime> => {
    const wanted = name || defaultName;
    let runtime = opened.get(wanted);
    if (runtime === undefined) {
      runtime = open(wanted);
      opened.set(wanted, runtime);
      runtime.catch(() => opened.delete(wanted));
    }
    return runtime;
  };

  const isKnown = (name: string) =>
    name === '' || name === defaultName || choice.named.has(name) || ['crun', 'runc'].includes(name);
  return {
    default: await get(defaultName),
    async get(name) {
      if (!isKnown(name)) throw errors.unknownRuntime({ runtime: name });
      return get(name);
    },
    async find(name) {
      if (!isKnown(name)) return undefined;
      return get(name).catch(() => undefined);
    },
  };
}
