import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { RLIM_INFINITY } from '../../../kit/linux/resource-limits.ts';
import type { ExecSpec } from '../../../proto/gen/longshore/execdriver/v1/exec.ts';
import { errors } from '../errors.ts';
import { mergeEnvironment } from '../spec/environment.ts';
import type { OciProcess, OciSpec } from '../spec/oci.ts';
import { lookupUser, type UserFiles } from '../spec/users.ts';

/** What a container's own first process was given. */
export function containerProcess(bundle: string): OciProcess {
  const { process } = JSON.parse(readFileSync(join(bundle, 'config.json'), 'utf8')) as OciSpec;
  // In JSON they are numbers of 64 bits, of which the largest means none.
  const exact = (value: bigint) => (Number(value) >= 2 ** 63 ? RLIM_INFINITY : BigInt(value));
  const rlimits = process.rlimits?.map(({ type, soft, hard }) => ({ type, soft: exact(soft), hard: exact(hard) }));
  return { ...process, ...(rlimits && { rlimits }) };
}

/** A further process in a container: as its first one, but for what is asked otherwise. */
export function execProcess(
  base: OciProcess,
  spec: ExecSpec,
  around: { users: () => UserFiles; additionalGroups: readonly string[]; held: readonly string[] },
): OciProcess {
  if (spec.args.length === 0 || spec.args[0] === '') {
    throw errors.badSpec({ field: 'args', detail: 'No exec command specified' });
  }
  if (spec.workingDir !== '' && !spec.workingDir.startsWith('/')) {
    const detail = `the working directory '${spec.workingDir}' is invalid, it needs to be an absolute path`;
    throw errors.badSpec({ field: 'working_dir', detail });
  }
  const { user, home, wasHome } = userOf(base, spec, around);
  const bounding = spec.privileged ? [...around.held] : (base.capabilities?.bounding ?? []);
  const own = user.uid === 0 ? bounding : [];
  const inherited = base.env.map((entry) => (entry === `HOME=${wasHome}` ? `HOME=${home}` : entry));
  const terminal = spec.tty && !inherited.some((entry) => entry.startsWith('TERM=')) ? ['TERM=xterm'] : [];
  const { apparmorProfile, ...rest } = base;
  return {
    ...rest,
    terminal: spec.tty,
    user,
    args: spec.args,
    env: mergeEnvironment([...inherited, ...terminal], spec.env),
    cwd: spec.workingDir || base.cwd,
    capabilities: { bounding, permitted: own, effective: own, inheritable: [], ambient: [] },
    ...(apparmorProfile !== undefined && !spec.privileged && { apparmorProfile }),
  };
}

function userOf(
  base: OciProcess,
  spec: ExecSpec,
  around: { users: () => UserFiles; additionalGroups: readonly string[] },
) {
  const unchanged = { user: base.user, home: '', wasHome: '' };
  if (spec.user === '') return unchanged;
  const users = around.users();
  const { home, ...user } = lookupUser(spec.user, around.additionalGroups, users);
  // Nobody chose the first process's HOME if it is what the passwd file says.
  return { user, home, wasHome: lookupUser(String(base.user.uid), [], users).home };
}
