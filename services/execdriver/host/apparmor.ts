import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Processes } from '../../../kit/linux/spawn.ts';
import { errors } from '../errors.ts';
import { findProgram, runProgram } from '../runtime/programs.ts';

/** What containers get where the kernel has AppArmor; tools and other engines know it by this name. */
export const usualProfile = 'docker-default';

/** The kernel's profiles. */
export interface AppArmor {
  /** Undefined: the kernel does not show here which it has. */
  isLoaded(profile: string): boolean | undefined;
  /** Takes a policy into the kernel, in the place of one with its name. */
  load(policy: string): Promise<void>;
}

export function isAppArmorOn(): boolean {
  return readOr('/sys/module/apparmor/parameters/enabled', '').startsWith('Y');
}

/** The real ones. `directory`: where a policy is put for the parser to read. */
export function createAppArmor(processes: Processes, directory: string): AppArmor {
  return {
    isLoaded(profile) {
      const list = readOr('/sys/kernel/security/apparmor/profiles', undefined);
      return list?.split('\n').some((line) => line.startsWith(`${profile} (`));
    },
    async load(policy) {
      const parser = findProgram('apparmor_parser');
      if (parser === undefined) {
        const detail = `apparmor_parser is missing: install apparmor, or run with --security-opt apparmor=unconfined`;
        throw errors.badSpec({ field: 'confinement.apparmor', detail });
      }
      const file = join(directory, `${usualProfile}.policy`);
      writeFileSync(file, policy, { mode: 0o600 });
      const { code, text } = await runProgram(processes, parser, ['-Kr', file]);
      if (code === 0) return;
      throw errors.badSpec({
        field: 'confinement.apparmor',
        detail: `cannot load the AppArmor profile: ${text.trim()}`,
      });
    },
  };
}

/**
 * The profile of a container on a host that has AppArmor: the one that was asked for, else Docker's rule. The usual one is
 * loaded when it is missing: package updates are known to take it away. Throws BAD_SPEC when another one is.
 */
export async function profileFor(
  appArmor: AppArmor,
  { apparmor, privileged }: { apparmor: string; privileged: boolean },
): Promise<string> {
  const profile = apparmor || (privileged ? 'unconfined' : usualProfile);
  if (profile === usualProfile && !appArmor.isLoaded(usualProfile)) await appArmor.load(usualPolicy);
  else if (isPlain(profile) && appArmor.isLoaded(profile) === false) {
    const detail = `the AppArmor profile ${JSON.stringify(profile)} is not loaded: load it with apparmor_parser, or name another`;
    throw errors.badSpec({ field: 'confinement.apparmor', detail });
  }
  return profile;
}

/** Neither of another policy namespace (`:name:profile`) nor several at once (`one//&two`): of those the kernel's list tells little. */
function isPlain(profile: string): boolean {
  return profile !== 'unconfined' && !profile.startsWith(':') && !profile.includes('//&');
}

/** Files, capabilities and network as elsewhere decided; no mounts, nothing of the kernel's own written, no tracing of others. */
export const usualPolicy = `abi <abi/3.0>,
include <tunables/global>

profile ${usualProfile} flags=(attach_disconnected,mediate_deleted) {
  include <abstractions/base>

  network,
  capability,
  file,
  umount,

  signal (receive) peer=unconfined,
  signal (receive) peer=runc,
  signal (receive) peer=crun,
  signal (send,receive) peer=${usualProfile},
  ptrace (trace,read,tracedby,readby) peer=${usualProfile},

  deny mount,
  deny @{PROC}/* w,
  deny @{PROC}/{[^1-9],[^1-9][^0-9],[^1-9s][^0-9y][^0-9s],[^1-9][^0-9][^0-9][^0-9]*}/** w,
  deny @{PROC}/sys/[^k]** w,
  deny @{PROC}/sys/kernel/{?,??,[^s][^h][^m]**} w,
  deny @{PROC}/sysrq-trigger rwklx,
  deny @{PROC}/kcore rwklx,
  deny /sys/[^f]*/** wklx,
  deny /sys/f[^s]*/** wklx,
  deny /sys/fs/[^c]*/** wklx,
  deny /sys/fs/c[^g]*/** wklx,
  deny /sys/fs/cg[^r]*/** wklx,
  deny /sys/firmware/** rwklx,
  deny /sys/devices/virtual/powercap/** rwklx,
  deny /sys/kernel/security/** rwklx,
}
`;

function readOr<T>(path: string, otherwise: T): string | T {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return otherwise;
  }
}
