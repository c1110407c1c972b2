import { basename } from 'node:path';
import type { IdMaps, IdRange } from '../../../proto/gen/longshore/contract/v1/id_maps.ts';
import type { Confinement, ContainerSpec, Resources } from '../../../proto/gen/longshore/execdriver/v1/spec.ts';
import { errors } from '../errors.ts';
import { capabilitiesFor } from './capabilities.ts';
import { devicesFor } from './devices.ts';
import { environmentOf } from './environment.ts';
import type { EngineFacts } from './facts.ts';
import { initInContainer } from './init-binary.ts';
import { mountsFor } from './mounts.ts';
import { type FindInit, namespacesFor } from './namespaces.ts';
import type { OciProcess, OciSeccomp, OciSpec } from './oci.ts';
import { systemPaths } from './paths.ts';
import { resourcesFor } from './resources.ts';
import { rlimitsFor, type Wish } from './rlimits.ts';
import { parseSeccompProfile, resolveSeccomp, type SeccompHost } from './seccomp.ts';
import { defaultSeccompProfile } from './seccomp-default.ts';
import { type SelinuxLabels, selinuxLabels } from './selinux.ts';
import { type ContainerUser, lookupUser, type UserFiles } from './users.ts';

/** What of the engine and the host goes into a container's spec, besides what was asked for. */
export interface Surroundings {
  facts: EngineFacts;
  /** Absolute in every hierarchy: `/longshore-1f2e/<id>`. */
  cgroupPath: string;
  defaultUlimits: readonly Wish[];
  users: UserFiles;
  /** The host's init program; undefined when none was asked for. */
  initBinary: string | undefined;
  findInit: FindInit;
  /** Of a user namespace that is joined. */
  idMaps: IdMaps | undefined;
  /** Undefined: this kernel has no AppArmor, and what is asked of it has no effect. */
  appArmorProfile: string | undefined;
  /** Where on the host its /dev/shm is, when others have it too; empty: it gets its own. */
  shm: string;
}

const noConfinement: Confinement = {
  privileged: false,
  capAdd: [],
  capDrop: [],
  noNewPrivileges: false,
  seccomp: '',
  apparmor: '',
  selinux: [],
  maskedPaths: undefined,
  readonlyPaths: undefined,
};

const noLimits: Resources = {
  memory: 0,
  memorySwap: 0,
  memoryReservation: 0,
  oomKillDisable: false,
  nanoCpus: 0,
  cpuShares: 0,
  cpuPeriod: 0,
  cpuQuota: 0,
  cpusetCpus: '',
  cpusetMems: '',
  blkioWeight: 0,
  cpuRealtimePeriod: 0,
  cpuRealtimeRuntime: 0,
  blkioWeightDevices: [],
  blkioReadBps: [],
  blkioWriteBps: [],
  blkioReadIops: [],
  blkioWriteIops: [],
};

/** Translates what a user asked for into what an OCI runtime is given, as Docker does. Throws BAD_SPEC or UNKNOWN_USER. */
export async function ociSpecOf(spec: ContainerSpec, around: Surroundings): Promise<OciSpec> {
  const confinement = spec.confinement ?? noConfinement;
  const resources = spec.resources ?? noLimits;
  check(spec);
  const { facts } = around;
  const capabilities = capabilitiesFor(
    { privileged: confinement.privileged, add: confinement.capAdd, drop: confinement.capDrop },
    facts.capabilities,
  );
  const user = lookupUser(spec.user, spec.additionalGroups, around.users);
  const devices = await devicesFor(spec.devices, spec.deviceCgroupRules, confinement.privileged);
  const { mounts, rootfsPropagation } = mountsFor(spec, confinement.privileged, around.shm);
  const seccomp = seccompFor(confinement, capabilities, facts);
  const selinux = facts.selinux ? selinuxLabels(confinement.selinux, basename(around.cgroupPath)) : undefined;
  const { pids, ...others } = resourcesFor(resources, facts);
  // crun can't write that there is none where there is none anyway.
  const limits = pids === undefined || pids.limit < 0 ? others : { ...others, pids };
  const { maskedPaths, readonlyPaths } = systemPaths(confinement, facts.thermalPaths);
  // Version 1's trees are shown below a tmpfs, which crun leaves writable where runc goes by the mount's `ro`.
  const isCgroupTmpfsReadOnly =
    !facts.cgroup2 && mounts.some(({ type, options }) => type === 'cgroup' && options.includes('ro'));
  const sharesUts = spec.utsMode === 'host';
  if (around.initBinary !== undefined) {
    mounts.push({ destination: initInContainer, type: 'bind', source: around.initBinary, options: ['bind', 'ro'] });
  }
  return {
    ociVersion: '1.0.2',
    process: processOf(spec, confinement, { capabilities, user, selinux, around }),
    root: { path: spec.rootPath, readonly: spec.readOnlyRoot },
    ...(!sharesUts && spec.hostname !== '' && { hostname: spec.hostname }),
    ...(!sharesUts && spec.domainname !== '' && { domainname: spec.domainname }),
    mounts,
    ...(Object.keys(spec.annotations).length > 0 && { annotations: { ...spec.annotations } }),
    linux: {
      namespaces: namespacesFor(spec, facts.cgroup2, around.findInit),
      ...(spec.userNamespacePath !== '' && mappingsOf(around.idMaps)),
      cgroupsPath: around.cgroupPath,
      resources: { devices: devices.rules, ...limits },
      devices: devices.devices,
      maskedPaths,
      readonlyPaths: isCgroupTmpfsReadOnly ? [...readonlyPaths, '/sys/fs/cgroup'] : readonlyPaths,
      ...(Object.keys(spec.sysctls).length > 0 && { sysctl: { ...spec.sysctls } }),
      ...(seccomp !== undefined && { seccomp }),
      ...(selinux !== undefined && { mountLabel: selinux.mount }),
      ...(rootfsPropagation !== undefined && { rootfsPropagation }),
    },
  };
}

function mappingsOf(maps: IdMaps | undefined) {
  const mapping = ({ containerId, hostId, count }: IdRange) => ({
    containerID: containerId,
    hostID: hostId,
    size: count,
  });
  return { uidMappings: maps?.uids.map(mapping) ?? [], gidMappings: maps?.gids.map(mapping) ?? [] };
}

function check(spec: ContainerSpec): void {
  if (!spec.rootPath.startsWith('/')) {
    throw errors.badSpec({ field: 'root_path', detail: 'root_path must be an absolute path' });
  }
  if (spec.args.length === 0 || spec.args[0] === '') {
    throw errors.badSpec({ field: 'args', detail: 'no command specified' });
  }
  const ofHost = Object.keys(spec.sysctls).find((name) => /^net[./]/.test(name));
  if (ofHost !== undefined && spec.networkNamespacePath === '') {
    const detail = `sysctl ${JSON.stringify(ofHost)} not allowed in host network namespace`;
    throw errors.badSpec({ field: 'sysctls', detail });
  }
  if (spec.workingDir !== '' && !spec.workingDir.startsWith('/')) {
    const detail = `the working directory '${spec.workingDir}' is invalid, it needs to be an absolute path`;
    throw errors.badSpec({ field: 'working_dir', detail });
  }
}

function processOf(
  spec: ContainerSpec,
  confinement: Confinement,
  parts: { capabilities: string[]; user: ContainerUser; selinux: SelinuxLabels | undefined; around: Surroundings },
): OciProcess {
  const { capabilities, user, selinux, around } = parts;
  const { facts } = around;
  const hostname = spec.utsMode === 'host' ? facts.hostname : spec.hostname;
  const { limits: held, mostOpenFiles } = facts;
  const bounds = { held, mostOpenFiles, mayRaise: mayRaise(facts) };
  const rlimits = rlimitsFor(spec.rlimits, around.defaultUlimits, bounds);
  return {
    terminal: spec.tty,
    user: { uid: user.uid, gid: user.gid, additionalGids: user.additionalGids },
    args: around.initBinary === undefined ? spec.args : [initInContainer, '--', ...spec.args],
    env: environmentOf(spec.env, { hostname, tty: spec.tty, home: user.home }),
    cwd: spec.workingDir || '/',
    capabilities: {
      bounding: capabilities,
      permitted: user.uid === 0 ? capabilities : [],
      effective: user.uid === 0 ? capabilities : [],
      // Docker passes none on by inheritance (CVE-2022-24769).
      inheritable: [],
      ambient: [],
    },
    ...(rlimits.length > 0 && { rlimits }),
    noNewPrivileges: confinement.noNewPrivileges,
    oomScoreAdj: oomScoreAdjOf(spec, facts),
    ...(around.appArmorProfile !== undefined && { apparmorProfile: around.appArmorProfile }),
    ...(selinux !== undefined && { selinuxLabel: selinux.process }),
  };
}

function mayRaise(facts: EngineFacts): boolean {
  return facts.capabilities.includes('CAP_SYS_RESOURCE');
}

/** Going below one's own score takes CAP_SYS_RESOURCE. */
function oomScoreAdjOf(spec: ContainerSpec, facts: EngineFacts): number {
  const wanted = spec.resources?.oomScoreAdj ?? 0;
  if (wanted < -1000 || wanted > 1000) {
    const detail = `Invalid value ${wanted}, range for oom score adj is [-1000, 1000]`;
    throw errors.badSpec({ field: 'resources.oom_score_adj', detail });
  }
  return mayRaise(facts) ? wanted : Math.max(wanted, facts.oomScoreAdj);
}

function seccompFor(
  confinement: Confinement,
  capabilities: readonly string[],
  facts: EngineFacts,
): OciSeccomp | undefined {
  if (confinement.seccomp === 'unconfined') return undefined;
  if (confinement.seccomp === '' && confinement.privileged) return undefined;
  const host = { machine: facts.machine, kernel: facts.kernel, capabilities };
  if (confinement.seccomp === '' || confinement.seccomp === 'builtin') return defaultSeccomp(host);
  try {
    return resolveSeccomp(parseSeccompProfile(confinement.seccomp), host);
  } catch (cause) {
    const detail = `opening seccomp profile failed: ${cause instanceof Error ? cause.message : String(cause)}`;
    throw errors.badSpec({ field: 'confinement.seccomp', detail }, { cause });
  }
}

/** The same object for the same host: it is hundreds of names, and known by its identity. */
const resolvedDefaults = new Map<string, OciSeccomp | undefined>();

function defaultSeccomp(host: SeccompHost): OciSeccomp | undefined {
  const key = [host.machine, host.kernel, ...host.capabilities].join();
  if (!resolvedDefaults.has(key)) resolvedDefaults.set(key, resolveSeccomp(defaultSeccompProfile, host));
  return resolvedDefaults.get(key);
}

/** config.json. Limits are 64 bits, more than JSON.stringify writes as a number; no string in JSON contains this mark unescaped. */
export function encodeSpec(spec: OciSpec | OciProcess): string {
  const text = JSON.stringify(spec, (_, value: unknown) => (typeof value === 'bigint' ? `\u0000${value}` : value));
  return text.replace(/"\\u0000(\d+)"/g, '$1');
}
