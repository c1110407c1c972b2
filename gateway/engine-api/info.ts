import type { GetInfoResponse } from '../../proto/gen/longshore/daemon/v1/system.ts';
import { rfc3339 } from './times.ts';

/** `docker info`, with every field that its client prints. */
export function infoJson(info: GetInfoResponse): object {
  return {
    ID: info.id,
    Containers: info.containers,
    ContainersRunning: info.containersRunning,
    ContainersPaused: info.containersPaused,
    ContainersStopped: info.containersStopped,
    Images: info.images,
    Driver: info.storageDriver,
    DriverStatus: info.driverStatus.map((row) => [row.name, row.value]),
    Plugins: {
      Volume: info.volumeDrivers,
      Network: info.networkDrivers,
      Authorization: null,
      Log: info.logDrivers,
    },
    MemoryLimit: info.memoryLimit,
    SwapLimit: info.swapLimit,
    CpuCfsPeriod: info.cpuQuota,
    CpuCfsQuota: info.cpuQuota,
    CPUShares: info.cpuShares,
    CPUSet: info.cpuset,
    PidsLimit: info.pidsLimit,
    IPv4Forwarding: info.ipv4Forwarding,
    OomKillDisable: info.memoryLimit,
    Debug: info.debug,
    NFd: 0,
    NGoroutines: 0,
    NEventsListener: 0,
    SystemTime: rfc3339(info.systemTimeNs),
    LoggingDriver: info.defaultLogDriver || 'json-file',
    CgroupDriver: 'cgroupfs',
    CgroupVersion: info.cgroupLayout === 'v2' ? '2' : '1',
    KernelVersion: info.kernelVersion,
    OperatingSystem: info.operatingSystem,
    OSType: 'linux',
    OSVersion: '',
    Architecture: info.architecture,
    NCPU: info.cpus,
    MemTotal: info.memoryTotal,
    IndexServerAddress: '',
    RegistryConfig: registryConfig(info.insecureRegistries),
    GenericResources: null,
    DockerRootDir: info.dataRoot,
    HttpProxy: '',
    HttpsProxy: '',
    NoProxy: '',
    Name: info.name,
    Labels: info.labels,
    ExperimentalBuild: false,
    ServerVersion: info.version,
    Runtimes: Object.fromEntries(info.runtimes.map((name) => [name, { path: name }])),
    DefaultRuntime: info.defaultRuntime,
    Swarm: {
      NodeID: '',
      NodeAddr: '',
      LocalNodeState: 'inactive',
      ControlAvailable: false,
      Error: '',
      RemoteManagers: null,
    },
    LiveRestoreEnabled: info.liveRestore,
    Isolation: '',
    InitBinary: '',
    ContainerdCommit: { ID: '' },
    RuncCommit: { ID: '' },
    InitCommit: { ID: '' },
    SecurityOptions: info.securityOptions,
    Warnings: info.warnings,
  };
}

/** CIDRs are networks; anything else is a registry by name. */
function registryConfig(insecure: readonly string[]): object {
  const networks = insecure.filter((each) => each.includes('/'));
  const named = insecure.filter((each) => !each.includes('/'));
  return {
    InsecureRegistryCIDRs: networks,
    IndexConfigs: Object.fromEntries(
      named.map((name) => [name, { Name: name, Mirrors: [], Secure: false, Official: false }]),
    ),
    Mirrors: [],
  };
}
