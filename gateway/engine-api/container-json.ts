import { posix } from 'node:path';
import type {
  ContainerConfig,
  HostConfig,
  MountConfig,
  StringList,
} from '../../proto/gen/longshore/daemon/v1/config.ts';
import {
  type AttachedNetwork,
  type Container,
  ContainerStatus,
  type MountPoint,
  type PublishedPort,
} from '../../proto/gen/longshore/daemon/v1/container.ts';
import { healthcheckJson, healthJson } from './health-json.ts';
import { resourcesJson } from './resources.ts';
import { rfc3339 } from './times.ts';

/** `inspect`, with the ids of the execs that are made and have not ended. */
export function containerJson(container: Container, execs: readonly string[], graphDriver: object): object {
  const { config, hostConfig, state } = container;
  return {
    Id: container.id,
    Created: rfc3339(container.createdAtNs),
    Path: container.args[0] ?? '',
    Args: container.args.slice(1),
    State: stateJson(container),
    Image: container.imageId,
    ResolvConfPath: container.resolvConfPath,
    HostnamePath: container.hostnamePath,
    HostsPath: container.hostsPath,
    LogPath: container.logPath,
    Name: `/${container.name}`,
    RestartCount: state?.restartCount ?? 0,
    Driver: container.layerDriver,
    Platform: 'linux',
    MountLabel: '',
    ProcessLabel: '',
    AppArmorProfile: container.apparmorProfile,
    ExecIDs: orNull(execs),
    HostConfig: hostConfigJson(hostConfig),
    GraphDriver: graphDriver,
    ...(container.sizeRw !== undefined && { SizeRw: container.sizeRw }),
    ...(container.sizeRoot !== undefined && { SizeRootFs: container.sizeRoot }),
    Mounts: mountsJson(container),
    Config: configJson(config),
    NetworkSettings: networkJson(container),
  };
}

/** What `State.Status` says; starting and stopping are states of the moment that Docker does not show. */
export function statusName(status: ContainerStatus | undefined): string {
  switch (status) {
    case ContainerStatus.CONTAINER_STATUS_RUNNING:
    case ContainerStatus.CONTAINER_STATUS_STOPPING:
      return 'running';
    case ContainerStatus.CONTAINER_STATUS_PAUSED:
      return 'paused';
    case ContainerStatus.CONTAINER_STATUS_RESTARTING:
      return 'restarting';
    case ContainerStatus.CONTAINER_STATUS_EXITED:
      return 'exited';
    case ContainerStatus.CONTAINER_STATUS_REMOVING:
      return 'removing';
    case ContainerStatus.CONTAINER_STATUS_DEAD:
      return 'dead';
    default:
      return 'created';
  }
}

function stateJson({ state }: Container): object {
  const status = statusName(state?.status);
  return {
    Status: status,
    Running: status === 'running' || status === 'paused' || status === 'restarting',
    Paused: status === 'paused',
    Restarting: status === 'restarting',
    OOMKilled: state?.oomKilled ?? false,
    Dead: status === 'dead',
    Pid: state?.pid ?? 0,
    ExitCode: state?.exitCode ?? 0,
    Error: state?.error ?? '',
    StartedAt: rfc3339(state?.startedAtNs ?? 0n),
    FinishedAt: rfc3339(state?.finishedAtNs ?? 0n),
    ...(state?.health && { Health: healthJson(state.health) }),
  };
}

const listJson = (list: StringList | undefined): string[] | null => list?.values ?? null;
const setJson = (keys: readonly string[]): object | null =>
  keys.length === 0 ? null : Object.fromEntries(keys.map((key) => [key, {}]));

function configJson(config: ContainerConfig | undefined): object {
  if (config === undefined) return {};
  const { healthcheck } = config;
  return {
    Hostname: config.hostname,
    Domainname: config.domainname,
    User: config.user,
    AttachStdin: config.attachStdin,
    AttachStdout: config.attachStdout,
    AttachStderr: config.attachStderr,
    ...(config.exposedPorts.length > 0 && { ExposedPorts: setJson(config.exposedPorts) }),
    Tty: config.tty,
    OpenStdin: config.openStdin,
    StdinOnce: config.stdinOnce,
    Env: config.env,
    Cmd: listJson(config.cmd),
    ...(healthcheck && {
      Healthcheck: healthcheckJson(healthcheck),
    }),
    Image: config.image,
    Volumes: setJson(config.volumes),
    WorkingDir: config.workingDir,
    Entrypoint: listJson(config.entrypoint),
    ...(config.networkDisabled && { NetworkDisabled: true }),
    OnBuild: config.onBuild.length > 0 ? config.onBuild : null,
    Labels: config.labels,
    ...(config.stopSignal !== '' && { StopSignal: config.stopSignal }),
    ...(config.stopTimeoutS !== undefined && { StopTimeout: config.stopTimeoutS }),
    ...(config.shell.length > 0 && { Shell: config.shell }),
  };
}

const orNull = <T>(values: readonly T[]): readonly T[] | null => (values.length === 0 ? null : values);

function hostConfigJson(host: HostConfig | undefined): object {
  if (host === undefined) return {};
  return {
    Binds: orNull(host.binds),
    ContainerIDFile: '',
    LogConfig: { Type: host.logConfig?.type || 'json-file', Config: host.logConfig?.config ?? {} },
    NetworkMode: host.networkMode || 'bridge',
    PortBindings: Object.fromEntries(
      Object.entries(host.portBindings).map(([port, { bindings }]) => [
        port,
        bindings.map((each) => ({ HostIp: each.hostIp, HostPort: each.hostPort })),
      ]),
    ),
    RestartPolicy: {
      Name: host.restartPolicy?.name || 'no',
      MaximumRetryCount: host.restartPolicy?.maximumRetryCount ?? 0,
    },
    AutoRemove: host.autoRemove,
    VolumeDriver: host.volumeDriver,
    VolumesFrom: orNull(host.volumesFrom),
    ConsoleSize: [host.consoleRows, host.consoleColumns],
    ...(Object.keys(host.annotations).length > 0 && { Annotations: host.annotations }),
    CapAdd: orNull(host.capAdd),
    CapDrop: orNull(host.capDrop),
    CgroupnsMode: host.cgroupnsMode,
    Dns: host.dns,
    DnsOptions: host.dnsOptions,
    DnsSearch: host.dnsSearch,
    ExtraHosts: orNull(host.extraHosts),
    GroupAdd: orNull(host.groupAdd),
    IpcMode: host.ipcMode || 'private',
    Cgroup: '',
    Links: orNull(host.links),
    OomScoreAdj: host.oomScoreAdj ?? 0,
    PidMode: host.pidMode,
    Privileged: host.privileged,
    PublishAllPorts: host.publishAllPorts,
    ReadonlyRootfs: host.readonlyRootfs,
    SecurityOpt: orNull(host.securityOpt),
    ...(Object.keys(host.storageOpt).length > 0 && { StorageOpt: host.storageOpt }),
    ...(Object.keys(host.tmpfs).length > 0 && { Tmpfs: host.tmpfs }),
    UTSMode: host.utsMode,
    UsernsMode: host.usernsMode,
    ShmSize: host.shmSize || 64 * 1024 * 1024,
    ...(Object.keys(host.sysctls).length > 0 && { Sysctls: host.sysctls }),
    Runtime: host.runtime,
    Isolation: '',
    ...resourcesJson(host.resources),
    CgroupParent: host.cgroupParent,
    Devices: host.devices.map((each) => ({
      PathOnHost: each.pathOnHost,
      PathInContainer: each.pathInContainer,
      CgroupPermissions: each.cgroupPermissions,
    })),
    DeviceCgroupRules: orNull(host.deviceCgroupRules),
    DeviceRequests: orNull(
      host.deviceRequests.map((each) => ({
        Driver: each.driver,
        Count: each.count,
        DeviceIDs: orNull(each.deviceIds),
        Capabilities: each.capabilities.map(({ values }) => values),
        Options: each.options,
      })),
    ),
    ...(host.init !== undefined && { Init: host.init }),
    ...(host.mounts.length > 0 && {
      Mounts: host.mounts.map(mountConfigJson),
    }),
    MaskedPaths: listJson(host.maskedPaths),
    ReadonlyPaths: listJson(host.readonlyPaths),
  };
}

const anySet = (options: object) => Object.values(options).some((value) => value !== undefined);
const unlessEmpty = (map: Record<string, string>) => (Object.keys(map).length === 0 ? undefined : map);

/** A mount as it was asked for; what was not set is left out. */
function mountConfigJson(mount: MountConfig): object {
  const bind = { Propagation: mount.propagation || undefined, CreateMountpoint: mount.createMountpoint || undefined };
  const driver = { Name: mount.volumeDriver || undefined, Options: unlessEmpty(mount.volumeOptions) };
  const volume = {
    NoCopy: mount.noCopy || undefined,
    Labels: unlessEmpty(mount.volumeLabels),
    DriverConfig: anySet(driver) ? driver : undefined,
  };
  const tmpfs = { SizeBytes: mount.tmpfsSize || undefined, Mode: mount.tmpfsMode || undefined };
  return {
    Type: mount.type,
    ...(mount.source !== '' && { Source: mount.source }),
    Target: mount.target,
    ...(mount.readOnly && { ReadOnly: true }),
    ...(anySet(bind) && { BindOptions: bind }),
    ...(anySet(volume) && { VolumeOptions: volume }),
    ...(anySet(tmpfs) && { TmpfsOptions: tmpfs }),
  };
}

/** As in Docker what `--tmpfs` makes is not among them, what `--mount type=tmpfs` does is. */
export function mountsJson({ mounts, hostConfig }: Container): object[] {
  const ofOption = new Set(Object.keys(hostConfig?.tmpfs ?? {}).map((path) => posix.resolve(path)));
  return mounts.filter(({ type, destination }) => type !== 'tmpfs' || !ofOption.has(destination)).map(mountJson);
}

function mountJson(mount: MountPoint): object {
  return {
    Type: mount.type,
    ...(mount.name !== '' && { Name: mount.name }),
    Source: mount.source,
    Destination: mount.destination,
    ...(mount.driver !== '' && { Driver: mount.driver }),
    // Docker relabels what is in its own volumes for everybody.
    Mode: mount.mode || (mount.type === 'volume' && mount.driver === 'local' && !mount.anonymous ? 'z' : ''),
    RW: mount.readWrite,
    Propagation: mount.propagation,
  };
}

/** `NetworkSettings.Ports`: every exposed port, with its bindings or null. */
function portsJson(exposed: readonly string[], published: readonly PublishedPort[]): object {
  const ports: Record<string, { HostIp: string; HostPort: string }[] | null> = {};
  for (const port of exposed) ports[port] = null;
  for (const port of published) {
    const key = `${port.containerPort}/${port.protocol}`;
    const bindings = ports[key] ?? [];
    bindings.push({ HostIp: port.hostIp, HostPort: String(port.hostPort) });
    ports[key] = bindings;
  }
  return ports;
}

function networkJson({ network, config, hostConfig }: Container): object {
  const bridge = network?.networks.find((each) => each.name === 'bridge');
  return {
    Bridge: '',
    SandboxID: network?.sandboxId ?? '',
    SandboxKey: network?.sandboxPath ?? '',
    Ports: network?.sandboxId ? portsJson(config?.exposedPorts ?? [], network.ports) : {},
    HairpinMode: false,
    LinkLocalIPv6Address: '',
    LinkLocalIPv6PrefixLen: 0,
    SecondaryIPAddresses: null,
    SecondaryIPv6Addresses: null,
    EndpointID: bridge?.endpointId ?? '',
    Gateway: bridge?.ipv4Gateway ?? '',
    GlobalIPv6Address: '',
    GlobalIPv6PrefixLen: 0,
    IPAddress: bridge?.ipv4Address ?? '',
    IPPrefixLen: bridge?.ipv4Prefix ?? 0,
    IPv6Gateway: '',
    MacAddress: bridge?.macAddress ?? '',
    Networks: networksJson(network?.networks ?? [], hostConfig?.networkMode ?? ''),
  };
}

/** Before the start a container shows the network that it will be on. */
export function networksJson(networks: readonly AttachedNetwork[], mode: string): Record<string, object> {
  const known = Object.fromEntries(networks.map((each) => [each.name, attachedJson(each)]));
  if (networks.length > 0) return known;
  const name = mode === '' || mode === 'default' ? 'bridge' : mode;
  return name.startsWith('container:') ? {} : { [name]: attachedJson(undefined) };
}

function attachedJson(attached: AttachedNetwork | undefined): object {
  return {
    IPAMConfig: null,
    Links: null,
    Aliases: attached && attached.aliases.length > 0 ? attached.aliases : null,
    MacAddress: attached?.macAddress ?? '',
    DriverOpts: null,
    GwPriority: 0,
    NetworkID: attached?.networkId ?? '',
    EndpointID: attached?.endpointId ?? '',
    Gateway: attached?.ipv4Gateway ?? '',
    IPAddress: attached?.ipv4Address ?? '',
    IPPrefixLen: attached?.ipv4Prefix ?? 0,
    IPv6Gateway: '',
    GlobalIPv6Address: '',
    GlobalIPv6PrefixLen: 0,
    DNSNames: attached && attached.aliases.length > 0 ? attached.aliases : null,
  };
}
