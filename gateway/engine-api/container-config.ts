import type {
  ContainerConfig,
  ContainerResources,
  EndpointConfig,
  HostConfig,
} from '../../proto/gen/longshore/daemon/v1/config.ts';
import { type Body, int32, uint32 } from './body.ts';
import { BadRequest } from './errors.ts';
import { familiarName } from './image-name.ts';
import { resourcesOf } from './resources.ts';

/** The body of `create`: Docker's Config at the top. */
export function containerConfig(body: Body): ContainerConfig {
  const health = body.object('Healthcheck');
  return {
    hostname: body.text('Hostname'),
    domainname: body.text('Domainname'),
    user: body.text('User'),
    attachStdin: body.truth('AttachStdin'),
    attachStdout: body.truth('AttachStdout'),
    attachStderr: body.truth('AttachStderr'),
    tty: body.truth('Tty'),
    openStdin: body.truth('OpenStdin'),
    stdinOnce: body.truth('StdinOnce'),
    exposedPorts: body.keys('ExposedPorts'),
    env: body.texts('Env'),
    cmd: list(body.command('Cmd')),
    entrypoint: list(body.command('Entrypoint')),
    image: familiarName(body.text('Image')),
    labels: body.textMap('Labels'),
    volumes: body.keys('Volumes'),
    workingDir: body.text('WorkingDir'),
    networkDisabled: body.truth('NetworkDisabled'),
    stopSignal: body.text('StopSignal'),
    stopTimeoutS: body.optionalInteger('StopTimeout', int32),
    shell: body.texts('Shell'),
    onBuild: body.texts('OnBuild'),
    healthcheck: body.has('Healthcheck')
      ? {
          test: health.texts('Test'),
          intervalNs: health.long('Interval'),
          timeoutNs: health.long('Timeout'),
          startPeriodNs: health.long('StartPeriod'),
          startIntervalNs: health.long('StartInterval'),
          retries: health.integer('Retries', int32),
        }
      : undefined,
    argsEscaped: body.truth('ArgsEscaped'),
  };
}

/** As in Docker 0 and less say that there is no limit, as leaving it out does. */
function unlimitedUnset(resources: ContainerResources): ContainerResources {
  return { ...resources, pidsLimit: (resources.pidsLimit ?? 0) > 0 ? resources.pidsLimit : undefined };
}

/** Docker's HostConfig. */
export function hostConfig(body: Body): HostConfig {
  const restart = body.object('RestartPolicy');
  const log = body.object('LogConfig');
  const [rows, columns] = consoleSize(body);
  body.refuseSet('Cgroup');
  const isolation = body.text('Isolation');
  if (!['', 'default'].includes(isolation.toLowerCase())) {
    throw new BadRequest(`invalid isolation (${isolation}): linux only supports 'default'`);
  }
  return {
    binds: body.texts('Binds'),
    mounts: body.objects('Mounts').map(mountConfig),
    tmpfs: body.textMap('Tmpfs'),
    portBindings: Object.fromEntries(
      body
        .entries('PortBindings')
        .map(([port, bindings]) => [
          port,
          { bindings: bindings.map((each) => ({ hostIp: each.text('HostIp'), hostPort: each.text('HostPort') })) },
        ]),
    ),
    publishAllPorts: body.truth('PublishAllPorts'),
    networkMode: body.text('NetworkMode'),
    restartPolicy: { name: restart.text('Name'), maximumRetryCount: restart.integer('MaximumRetryCount', int32) },
    autoRemove: body.truth('AutoRemove'),
    resources: unlimitedUnset(resourcesOf(body)),
    capAdd: body.texts('CapAdd'),
    capDrop: body.texts('CapDrop'),
    privileged: body.truth('Privileged'),
    readonlyRootfs: body.truth('ReadonlyRootfs'),
    securityOpt: body.texts('SecurityOpt'),
    dns: body.texts('Dns'),
    dnsSearch: body.texts('DnsSearch'),
    dnsOptions: body.texts('DnsOptions'),
    extraHosts: body.texts('ExtraHosts'),
    groupAdd: body.texts('GroupAdd'),
    pidMode: body.text('PidMode'),
    ipcMode: body.text('IpcMode'),
    utsMode: body.text('UTSMode'),
    usernsMode: body.text('UsernsMode'),
    cgroupnsMode: body.text('CgroupnsMode'),
    cgroupParent: body.text('CgroupParent'),
    shmSize: body.integer('ShmSize'),
    sysctls: body.textMap('Sysctls'),
    storageOpt: body.textMap('StorageOpt'),
    maskedPaths: list(body.optionalTexts('MaskedPaths')),
    readonlyPaths: list(body.optionalTexts('ReadonlyPaths')),
    init: body.optionalTruth('Init'),
    runtime: body.text('Runtime'),
    logConfig: body.has('LogConfig') ? { type: log.text('Type'), config: log.textMap('Config') } : undefined,
    links: body.texts('Links'),
    volumesFrom: body.texts('VolumesFrom'),
    volumeDriver: body.text('VolumeDriver'),
    devices: body.objects('Devices').map((each) => ({
      pathOnHost: each.text('PathOnHost'),
      pathInContainer: each.text('PathInContainer'),
      cgroupPermissions: each.text('CgroupPermissions'),
    })),
    deviceCgroupRules: body.texts('DeviceCgroupRules'),
    oomScoreAdj: body.optionalInteger('OomScoreAdj', int32),
    annotations: body.textMap('Annotations'),
    consoleRows: rows,
    consoleColumns: columns,
    // `--gpus` and CDI names.
    deviceRequests: body.objects('DeviceRequests').map((each) => ({
      driver: each.text('Driver'),
      count: each.integer('Count', int32),
      deviceIds: each.texts('DeviceIDs'),
      capabilities: each.textLists('Capabilities').map((values) => ({ values })),
      options: each.textMap('Options'),
    })),
  };
}

/** NetworkingConfig.EndpointsConfig. */
export function endpointConfigs(body: Body): Record<string, EndpointConfig> {
  const entries = body.object('NetworkingConfig').entries('EndpointsConfig');
  const endpoints = Object.fromEntries(entries.map(([network, [settings]]) => [network, endpointConfig(settings)]));
  // Before 1.44 the address stood at the container; it means the network that the container starts on.
  const macAddress = body.text('MacAddress');
  if (macAddress !== '') {
    const network = body.object('HostConfig').text('NetworkMode');
    const name = network === '' || network === 'default' ? 'bridge' : network;
    const endpoint = endpoints[name] ?? endpointConfig(undefined);
    if (endpoint.macAddress !== '' && endpoint.macAddress !== macAddress) {
      throw new BadRequest('invalid MacAddress: the MAC address of the container and of its endpoint differ');
    }
    endpoints[name] = { ...endpoint, macAddress };
  }
  return endpoints;
}

function endpointConfig(settings: Body | undefined): EndpointConfig {
  const addresses = settings?.object('IPAMConfig');
  addresses?.refuseSet('IPv6Address', 'LinkLocalIPs');
  settings?.refuseSet('GwPriority');
  return {
    aliases: settings?.texts('Aliases') ?? [],
    ipv4Address: addresses?.text('IPv4Address') ?? '',
    macAddress: settings?.text('MacAddress') ?? '',
    links: settings?.texts('Links') ?? [],
    driverOptions: settings?.textMap('DriverOpts') ?? {},
  };
}

const list = (values: string[] | undefined) => (values === undefined ? undefined : { values });

function mountConfig(mount: Body) {
  const volume = mount.object('VolumeOptions');
  const bind = mount.object('BindOptions');
  const tmpfs = mount.object('TmpfsOptions');
  const driver = volume.object('DriverConfig');
  volume.refuseSet('Subpath');
  bind.refuseSet('NonRecursive', 'ReadOnlyNonRecursive', 'ReadOnlyForceRecursive');
  tmpfs.refuseSet('Options');
  mount.refuseSet('ImageOptions', 'ClusterOptions');
  return {
    type: mount.text('Type'),
    source: mount.text('Source'),
    target: mount.text('Target'),
    readOnly: mount.truth('ReadOnly'),
    propagation: bind.text('Propagation'),
    noCopy: volume.truth('NoCopy'),
    volumeLabels: volume.textMap('Labels'),
    volumeDriver: driver.text('Name'),
    volumeOptions: driver.textMap('Options'),
    tmpfsSize: tmpfs.integer('SizeBytes'),
    tmpfsMode: tmpfs.integer('Mode', uint32),
    createMountpoint: bind.truth('CreateMountpoint'),
  };
}

/** Rows and columns; 0: not told. */
export function consoleSize(body: Body): [number, number] {
  const values = body.has('ConsoleSize') ? body.integers('ConsoleSize') : [];
  const [rows = 0, columns = 0] = values;
  if (rows < 0 || columns < 0 || rows > 65535 || columns > 65535)
    throw new BadRequest('invalid ConsoleSize: it must be two whole numbers from 0 to 65535');
  return [rows, columns];
}
