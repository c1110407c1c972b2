import type { OciSeccomp, OciSyscall, OciSyscallArgument } from './oci.ts';

/** A condition of a rule in Docker's profile format. All that are given must hold. */
export interface SeccompCondition {
  caps?: string[];
  arches?: string[];
  /** `4.8`: this kernel or a newer one. */
  minKernel?: string;
}

/** A profile in the format that `--security-opt seccomp=FILE` takes. */
export interface SeccompProfile {
  defaultAction: string;
  defaultErrnoRet?: number;
  /** Either these, or archMap: the native architecture with those that run on it. */
  architectures?: string[];
  archMap?: { architecture: string; subArchitectures?: string[] | null }[];
  flags?: string[];
  syscalls: {
    name?: string;
    names?: string[];
    action: string;
    errnoRet?: number;
    args?: OciSyscallArgument[];
    includes?: SeccompCondition;
    excludes?: SeccompCondition;
  }[];
}

/** What the conditions are judged by. */
export interface SeccompHost {
  /** As `uname -m` says: x86_64, aarch64. */
  machine: string;
  /** As `uname -r` says: 6.1.0-18-amd64. */
  kernel: string;
  /** The container's bounding set. */
  capabilities: readonly string[];
}

/** `uname -m` → the profile's name of it, libseccomp's name of it. */
const architectures: Readonly<Record<string, { name: string; token: string }>> = {
  x86_64: { name: 'amd64', token: 'SCMP_ARCH_X86_64' },
  aarch64: { name: 'arm64', token: 'SCMP_ARCH_AARCH64' },
  riscv64: { name: 'riscv64', token: 'SCMP_ARCH_RISCV64' },
  ppc64le: { name: 'ppc64le', token: 'SCMP_ARCH_PPC64LE' },
  s390x: { name: 's390x', token: 'SCMP_ARCH_S390X' },
  loongarch64: { name: 'loong64', token: 'SCMP_ARCH_LOONGARCH64' },
};

/** Judges a profile's conditions for one container on one host: what is left is the runtime's `linux.seccomp`. */
export function resolveSeccomp(profile: SeccompProfile, host: SeccompHost): OciSeccomp | undefined {
  if (profile.defaultAction === '' && profile.syscalls.length === 0) return undefined;
  const architecture = architectures[host.machine];
  const mapped = profile.archMap?.find((entry) => entry.architecture === architecture?.token);
  const accepted = mapped ? [mapped.architecture, ...(mapped.subArchitectures ?? [])] : profile.architectures;
  const syscalls = profile.syscalls
    .filter((rule) => applies(rule, host, architecture?.name ?? host.machine))
    .map(ruleOf);
  return {
    defaultAction: profile.defaultAction,
    ...(profile.defaultErrnoRet !== undefined && { defaultErrnoRet: profile.defaultErrnoRet }),
    ...(accepted !== undefined && accepted.length > 0 && { architectures: accepted }),
    ...(profile.flags !== undefined && profile.flags.length > 0 && { flags: profile.flags }),
    syscalls,
  };
}

type Rule = SeccompProfile['syscalls'][number];

function applies(rule: Rule, host: SeccompHost, architecture: string): boolean {
  const { includes, excludes } = rule;
  if (excludes?.arches?.includes(architecture)) return false;
  if (excludes?.caps?.some((capability) => host.capabilities.includes(capability))) return false;
  if (excludes?.minKernel !== undefined && isAtLeast(host.kernel, excludes.minKernel)) return false;
  if (includes?.arches?.length && !includes.arches.includes(architecture)) return false;
  if (includes?.caps?.some((capability) => !host.capabilities.includes(capability))) return false;
  return includes?.minKernel === undefined || isAtLeast(host.kernel, includes.minKernel);
}

function ruleOf(rule: Rule): OciSyscall {
  return {
    names: rule.names ?? (rule.name === undefined ? [] : [rule.name]),
    action: rule.action,
    ...(rule.errnoRet !== undefined && { errnoRet: rule.errnoRet }),
    ...(rule.args !== undefined && rule.args !== null && rule.args.length > 0 && { args: rule.args }),
  };
}

function isAtLeast(kernel: string, wanted: string): boolean {
  const [major = 0, minor = 0] = kernel.split(/[.-]/).map((part) => Number.parseInt(part, 10));
  const [wantedMajor = 0, wantedMinor = 0] = wanted.split('.').map(Number);
  return major > wantedMajor || (major === wantedMajor && minor >= wantedMinor);
}

/** Reads a profile that a user gave. Throws an Error that says what is wrong with it. */
export function parseSeccompProfile(json: string): SeccompProfile {
  const profile: unknown = JSON.parse(json);
  if (!isProfile(profile)) throw new Error('it needs a defaultAction and a list of syscalls');
  for (const rule of profile.syscalls) {
    if (typeof rule?.action !== 'string') throw new Error('each rule of its syscalls needs an action');
    if ((rule.name === undefined) === (rule.names === undefined)) {
      throw new Error("each rule of its syscalls has either 'name' or 'names'");
    }
  }
  if (profile.architectures !== undefined && profile.archMap !== undefined) {
    throw new Error("it has either 'architectures' or 'archMap', not both");
  }
  return profile;
}

function isProfile(value: unknown): value is SeccompProfile {
  if (typeof value !== 'object' || value === null) return false;
  if (!('defaultAction' in value) || typeof value.defaultAction !== 'string') return false;
  return 'syscalls' in value && Array.isArray(value.syscalls);
}
