import {
  closeSync,
  constants,
  existsSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { hasCode } from '../../../kit/linux/system-error.ts';
import { errors } from '../errors.ts';
import { removeTree } from '../removal.ts';
import type { OciSpec } from '../spec/oci.ts';
import type { Runtime } from './runtime.ts';
import type { SeccompPrograms } from './seccomp-programs.ts';

/**
 * What crun keeps below its root, as seen in versions 1.8 to 1.21: `<id>/exec.fifo`, on which a created container's init waits
 * for a byte; `<id>/seccomp.bpf`, the program that it will load; and nothing that `crun delete` does for a container whose
 * processes have ended but to remove `<id>` and the cgroup. Relying on it saves two processes and the compiling of the
 * seccomp rules at each start: 20 ms of 30.
 */
export function knowsLayoutOf(version: string): boolean {
  const match = /^crun (\d+)\.(\d+)/.exec(version);
  return match?.[1] === '1' && Number(match[2]) >= 8;
}

/** base64 of a ready seccomp program, which crun then takes instead of compiling `linux.seccomp`. */
const programAnnotation = 'run.oci.seccomp_bpf_data';

/** crun, by its files where its commands would cost a process. `commands` does what has no shorter way. */
export function crunByFiles(commands: Runtime, root: string, programs: SeccompPrograms): Runtime {
  const stateOf = (id: string) => join(root, id);
  const fifoOf = (id: string) => join(stateOf(id), 'exec.fifo');

  return {
    ...commands,

    insideArguments(id) {
      const state = stateOf(id);
      if (!existsSync(join(state, id))) copyWithoutCgroup(state, join(state, id));
      return ['--root', state];
    },

    prepare(spec) {
      const { seccomp } = spec.linux;
      const program = seccomp && programs.find(seccomp);
      if (program === undefined) return spec;
      const { seccomp: _, ...linux } = spec.linux;
      return { ...spec, linux, annotations: { ...spec.annotations, [programAnnotation]: program.toString('base64') } };
    },

    created(id, spec: OciSpec) {
      const { seccomp } = spec.linux;
      // Flags are not in the program, and a listener is not ours to share.
      if (seccomp === undefined || seccomp.flags !== undefined || programs.find(seccomp) !== undefined) return;
      const file = join(stateOf(id), 'seccomp.bpf');
      programs.keep(seccomp, readFileSync(file));
      const program = programs.find(seccomp);
      if (program === undefined) return;
      // For execs in this container, which read it: never a half of it. Where it cannot be written the runtime's own does too.
      const made = `${file}.new`;
      try {
        writeFileSync(made, program, { mode: 0o700 });
        renameSync(made, file);
      } catch {
        rmSync(made, { force: true });
      }
    },

    async start(id) {
      const fifo = fifoOf(id);
      let descriptor: number;
      try {
        // Without a reader this is ENXIO instead of a wait without end: the init has died.
        descriptor = openSync(fifo, constants.O_WRONLY | constants.O_NONBLOCK);
      } catch (error) {
        if (!hasCode(error, 'ENXIO', 'ENOENT')) throw error;
        throw errors.runtimeFailed({ detail: 'the container has ended before it was started' }, { cause: error });
      }
      try {
        writeSync(descriptor, '0');
        unlinkSync(fifo);
      } finally {
        closeSync(descriptor);
      }
    },

    hasStarted(id, pid) {
      // The init has the fifo open until it runs its command.
      return !openFilesOf(pid).includes(fifoOf(id));
    },

    async remove(id) {
      removeTree(stateOf(id));
    },
  };
}

/**
 * What crun keeps of a container, as it would be if this had no cgroup: then an exec neither joins one nor asks whether it is
 * frozen (libcrun_move_process_to_cgroup and libcrun_cgroup_is_container_paused, from 1.8 to 1.29 the same). Below the original,
 * to be removed with it.
 */
function copyWithoutCgroup(state: string, copy: string): void {
  const made = `${copy}.new`;
  rmSync(made, { recursive: true, force: true });
  mkdirSync(made, { mode: 0o700 });
  const status = JSON.parse(readFileSync(join(state, 'status'), 'utf8'));
  writeFileSync(join(made, 'status'), JSON.stringify({ ...status, 'cgroup-path': '', scope: '' }), { mode: 0o600 });
  for (const name of ['config.json', 'seccomp.bpf']) {
    if (existsSync(join(state, name))) linkSync(join(state, name), join(made, name));
  }
  renameSync(made, copy);
}

function openFilesOf(pid: number): string[] {
  const directory = `/proc/${pid}/fd`;
  try {
    return readdirSync(directory).map((descriptor) => {
      try {
        return readlinkSync(join(directory, descriptor)).replace(/ \(deleted\)$/, '');
      } catch {
        return '';
      }
    });
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return [];
    throw error;
  }
}
