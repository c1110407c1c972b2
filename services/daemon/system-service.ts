import { nowNs } from '../../kit/clock.ts';
import { messageOf } from '../../kit/errors.ts';
import type {
  GetInfoResponse,
  GetVersionResponse,
  SystemServiceImplementation,
} from '../../proto/gen/longshore/daemon/v1/system.ts';
import type { Containers } from './containers/containers.ts';
import { usualCgroupns } from './containers/host-defaults.ts';
import { isAlive } from './containers/record.ts';
import type { Engine } from './daemon.ts';
import { realLogDrivers } from './logging/options.ts';

export function systemService(engine: Engine, containers: Containers): SystemServiceImplementation {
  return {
    getVersion: async () => versionOf(engine),
    getInfo: async () => infoOf(engine, containers),
  };
}

function versionOf({ facts }: Engine): GetVersionResponse {
  const { host, execdriver, version, revision } = facts;
  return {
    version,
    revision,
    os: 'linux',
    architecture: host.architecture,
    kernelVersion: host.kernelVersion,
    nodeVersion: process.versions.node,
    components: [
      { name: 'Engine', version, details: { GitCommit: revision, KernelVersion: host.kernelVersion } },
      ...[execdriver.runtime, execdriver.monitor].filter((text) => text !== '').map(component),
    ],
  };
}

/** Of `crun 1.8.1`. */
function component(text: string) {
  const [name = '', ...version] = text.split(' ');
  return { name, version: version.join(' '), details: {} };
}

async function infoOf(engine: Engine, containers: Containers): Promise<GetInfoResponse> {
  const { facts } = engine;
  const { host } = facts;
  const records = containers.records();
  const paused = records.filter(({ status }) => status === 'paused').length;
  const alive = records.filter(isAlive).length;
  const images = await countImages(engine);
  return {
    id: engine.engineId,
    name: host.hostname,
    version: facts.version,
    containers: records.length,
    containersRunning: alive - paused,
    containersPaused: paused,
    containersStopped: records.length - alive,
    images: images.count,
    storageDriver: facts.graphdriver.driver,
    driverStatus: facts.graphdriver.status,
    dataRoot: facts.dataRoot,
    execRoot: facts.execRoot,
    defaultRuntime: facts.defaults.runtime,
    runtimes: facts.defaults.runtimes,
    cgroupLayout: host.cgroupLayout,
    memoryLimit: host.memoryLimit,
    swapLimit: host.swapLimit,
    cpuShares: host.cpuShares,
    cpuQuota: host.cpuQuota,
    cpuset: host.cpuset,
    pidsLimit: host.pidsLimit,
    ipv4Forwarding: host.ipv4Forwarding,
    securityOptions: [
      ...(host.apparmor ? ['name=apparmor'] : []),
      ...(host.seccomp ? [`name=seccomp,profile=${facts.defaults.seccompProfile.name}`] : []),
      ...(host.selinux ? ['name=selinux'] : []),
      ...(facts.remapsUsers ? ['name=userns'] : []),
      // As in Docker: where containers get their own by default.
      ...(usualCgroupns(false, facts) === 'private' ? ['name=cgroupns'] : []),
      ...(facts.defaults.noNewPrivileges ? ['name=no-new-privileges'] : []),
    ],
    kernelVersion: host.kernelVersion,
    operatingSystem: host.operatingSystem,
    architecture: host.architecture,
    cpus: host.cpus,
    memoryTotal: host.memoryTotal,
    liveRestore: facts.liveRestore,
    warnings: [...host.warnings, ...facts.execdriver.warnings, ...facts.network.warnings, ...images.warnings],
    systemTimeNs: nowNs(),
    volumeDrivers: facts.volumeDrivers,
    networkDrivers: ['bridge', 'host', 'null'],
    logDrivers: [...realLogDrivers],
    defaultLogDriver: facts.defaults.logDriver,
    bridge: facts.network.bridge,
    bridgeAddress: facts.network.bridgeAddress,
    insecureRegistries: facts.insecureRegistries,
    services: engine.services(),
    labels: facts.labels,
    debug: facts.debug,
    bootDurationNs: engine.bootDurationNs(),
  };
}

/** The rest of the answer does not depend on the image store being there. */
async function countImages({ clients }: Engine): Promise<{ count: number; warnings: string[] }> {
  let count = 0;
  try {
    for await (const _ of clients.graph.images.listImages({})) count += 1;
    return { count, warnings: [] };
  } catch (error) {
    return { count, warnings: [`the images could not be counted: ${messageOf(error)}`] };
  }
}
