import { ContainerResources } from '../../../proto/gen/longshore/daemon/v1/config.ts';
import type { MountPoint } from '../../../proto/gen/longshore/daemon/v1/container.ts';
import type { ContainerSpec, Mount, Resources } from '../../../proto/gen/longshore/execdriver/v1/spec.ts';
import type { ContainerDefaults } from '../daemon.ts';
import { processLog } from '../logging/log-config.ts';
import { clean } from './bind-spec.ts';
import type { ContainerRecord } from './record.ts';
import { confinementOf } from './security-options.ts';

/** What a start has made ready. */
export interface Prepared {
  rootPath: string;
  namespacePath: string;
  /** Empty: the host's. */
  userNamespacePath: string;
  resolvConfPath: string;
  hostsPath: string;
  hostnamePath: string;
  /** By volume name. */
  volumePaths: ReadonlyMap<string, string>;
  /** As in front of the container's own environment. */
  linkedEnv: readonly string[];
}

const defaultPath = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** A record and what is ready for it, as the exec driver takes it. */
export function processSpec(record: ContainerRecord, prepared: Prepared, defaults: ContainerDefaults): ContainerSpec {
  const { config, hostConfig } = record;
  const { resources } = hostConfig;
  return {
    rootPath: prepared.rootPath,
    readOnlyRoot: hostConfig.readonlyRootfs,
    args: [...record.args],
    env: environment(record, prepared.linkedEnv),
    workingDir: config.workingDir,
    user: config.user,
    additionalGroups: hostConfig.groupAdd,
    tty: config.tty,
    openStdin: config.openStdin,
    stdinOnce: config.stdinOnce,
    hostname: config.hostname,
    domainname: config.domainname,
    networkNamespacePath: prepared.namespacePath,
    userNamespacePath: prepared.userNamespacePath,
    mounts: [...engineFiles(record, prepared), ...userMounts(record, prepared.volumePaths)],
    resources: { ...specResources(resources ?? ContainerResources.create()), oomScoreAdj: hostConfig.oomScoreAdj },
    confinement: confinementOf(hostConfig, defaults),
    rlimits: resources?.ulimits ?? [],
    sysctls: hostConfig.sysctls,
    pidMode: hostConfig.pidMode,
    ipcMode: hostConfig.ipcMode,
    utsMode: hostConfig.utsMode,
    cgroupnsMode: hostConfig.cgroupnsMode,
    cgroupParent: hostConfig.cgroupParent,
    shmSize: hostConfig.shmSize || defaults.shmSize,
    init: hostConfig.init ?? defaults.init,
    runtime: hostConfig.runtime,
    log: processLog(record, defaults),
    containerName: record.name,
    annotations: hostConfig.annotations,
    devices: hostConfig.devices.map((device) => ({
      pathOnHost: device.pathOnHost,
      pathInContainer: device.pathInContainer || device.pathOnHost,
      permissions: device.cgroupPermissions || 'rwm',
    })),
    deviceCgroupRules: hostConfig.deviceCgroupRules,
  };
}

/** Limits as the exec driver takes them. */
export function specResources(resources: ContainerResources): Resources {
  return {
    memory: resources.memory,
    memorySwap: resources.memorySwap,
    memoryReservation: resources.memoryReservation,
    memorySwappiness: resources.memorySwappiness,
    oomKillDisable: resources.oomKillDisable,
    oomScoreAdj: undefined,
    nanoCpus: resources.nanoCpus,
    cpuShares: resources.cpuShares,
    cpuPeriod: resources.cpuPeriod,
    cpuQuota: resources.cpuQuota,
    cpusetCpus: resources.cpusetCpus,
    cpusetMems: resources.cpusetMems,
    pidsLimit: resources.pidsLimit,
    blkioWeight: resources.blkioWeight,
    cpuRealtimePeriod: resources.cpuRealtimePeriod,
    cpuRealtimeRuntime: resources.cpuRealtimeRuntime,
    blkioWeightDevices: resources.blkioWeightDevices,
    blkioReadBps: resources.blkioReadBps,
    blkioWriteBps: resources.blkioWriteBps,
    blkioReadIops: resources.blkioReadIops,
    blkioWriteIops: resources.blkioWriteIops,
  };
}

/** The engine's variables, then those of links, then the container's own; a name alone takes a variable away. */
function environment({ config }: ContainerRecord, linkedEnv: readonly string[]): string[] {
  const variables = new Map<string, string>();
  const terminal = config.tty ? ['TERM=xterm'] : [];
  for (const entry of [defaultPath, `HOSTNAME=${config.hostname}`, ...terminal, ...linkedEnv, ...config.env]) {
    const name = entry.split('=', 1)[0] ?? '';
    if (entry.includes('=')) variables.set(name, entry);
    else variables.delete(name);
  }
  return [...variables.values()];
}

/** /etc/resolv.conf, hosts and hostname, where the user has nothing there. */
function engineFiles(record: ContainerRecord, prepared: Prepared): Mount[] {
  const files = [
    [prepared.resolvConfPath, '/etc/resolv.conf'],
    [prepared.hostsPath, '/etc/hosts'],
    [prepared.hostnamePath, '/etc/hostname'],
  ] as const;
  return files
    .filter(([source, place]) => source !== '' && !record.mounts.some(({ destination }) => destination === place))
    .map(([source, destination]) => ({ ...bind, source, destination }));
}

const bind: Mount = {
  source: '',
  destination: '',
  type: 'bind',
  readOnly: false,
  propagation: 'rprivate',
  options: [],
  createSource: false,
};

/** A place above another is mounted first. */
function userMounts(record: ContainerRecord, volumePaths: ReadonlyMap<string, string>): Mount[] {
  const depth = (path: string) => path.split('/').length;
  return [...record.mounts]
    .sort((one, other) => depth(one.destination) - depth(other.destination))
    .map((point) => {
      const { destination, propagation } = point;
      const readOnly = !point.readWrite;
      if (point.type === 'tmpfs') {
        return { ...bind, type: 'tmpfs', propagation: '', destination, readOnly, options: point.tmpfsOptions };
      }
      if (point.type === 'volume') {
        return { ...bind, destination, readOnly, source: volumePaths.get(point.name) ?? point.source };
      }
      return {
        ...bind,
        destination,
        readOnly,
        propagation,
        source: point.source,
        createSource: makesSource(record, point),
      };
    });
}

/** `-v` makes a missing source; `--mount` only when it says so. */
function makesSource({ hostConfig }: ContainerRecord, point: MountPoint): boolean {
  const mount = hostConfig.mounts.find(({ type, target }) => type === 'bind' && clean(target) === point.destination);
  return mount === undefined || mount.createMountpoint;
}
