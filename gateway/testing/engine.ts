import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { ServiceImplementation, TsProtoServiceDefinition } from 'nice-grpc';
import { defineErrors } from '../../kit/errors.ts';
import { type Logger, silentLogger } from '../../kit/log.ts';
import type { Role } from '../../kit/roles.ts';
import { dial } from '../../kit/rpc/dial.ts';
import { watchHealth } from '../../kit/rpc/health.ts';
import { type Served, type Service, serve, service } from '../../kit/rpc/serve.ts';
import { serviceConfig, type TlsFiles } from '../../kit/service.ts';
import { ContainerServiceDefinition } from '../../proto/gen/longshore/daemon/v1/container.ts';
import { ControlServiceDefinition } from '../../proto/gen/longshore/daemon/v1/control.ts';
import { EventServiceDefinition } from '../../proto/gen/longshore/daemon/v1/event.ts';
import { SystemServiceDefinition } from '../../proto/gen/longshore/daemon/v1/system.ts';
import { ExecServiceDefinition } from '../../proto/gen/longshore/execdriver/v1/exec.ts';
import { FileServiceDefinition } from '../../proto/gen/longshore/execdriver/v1/files.ts';
import { ProcessServiceDefinition } from '../../proto/gen/longshore/execdriver/v1/process.ts';
import { StreamServiceDefinition } from '../../proto/gen/longshore/execdriver/v1/stream.ts';
import { UsageServiceDefinition } from '../../proto/gen/longshore/execdriver/v1/usage.ts';
import { ImageServiceDefinition } from '../../proto/gen/longshore/graph/v1/image.ts';
import { LayerServiceDefinition } from '../../proto/gen/longshore/graphdriver/v1/layer.ts';
import { NetworkServiceDefinition } from '../../proto/gen/longshore/network/v1/network.ts';
import { VolumeServiceDefinition } from '../../proto/gen/longshore/volume/v1/volume.ts';
import { start } from '../service.ts';

/** The methods that a test needs; the others answer UNIMPLEMENTED. */
export interface Owners {
  containers?: Partial<ServiceImplementation<ContainerServiceDefinition>>;
  control?: Partial<ServiceImplementation<ControlServiceDefinition>>;
  events?: Partial<ServiceImplementation<EventServiceDefinition>>;
  system?: Partial<ServiceImplementation<SystemServiceDefinition>>;
  streams?: Partial<ServiceImplementation<StreamServiceDefinition>>;
  execs?: Partial<ServiceImplementation<ExecServiceDefinition>>;
  files?: Partial<ServiceImplementation<FileServiceDefinition>>;
  usage?: Partial<ServiceImplementation<UsageServiceDefinition>>;
  processes?: Partial<ServiceImplementation<ProcessServiceDefinition>>;
  images?: Partial<ServiceImplementation<ImageServiceDefinition>>;
  layers?: Partial<ServiceImplementation<LayerServiceDefinition>>;
  volumes?: Partial<ServiceImplementation<VolumeServiceDefinition>>;
  networks?: Partial<ServiceImplementation<NetworkServiceDefinition>>;
}

export const errors = defineErrors('test', {
  unserved: { code: 'UNIMPLEMENTED', message: (m: { method: string }) => `the test does not serve ${m.method}` },
  containerNotFound: { code: 'NOT_FOUND', message: (m: { container: string }) => `No such container: ${m.container}` },
  nameInUse: { code: 'ALREADY_EXISTS', message: () => 'the name is in use' },
  commandNotFound: { code: 'NOT_FOUND', message: () => 'executable file not found in $PATH' },
  execStarted: { code: 'FAILED_PRECONDITION', message: () => 'exec command e1 has already run' },
  notRunning: { code: 'FAILED_PRECONDITION', message: () => 'the container is not running' },
  imageNotFound: { code: 'NOT_FOUND', message: (m: { reference: string }) => `No such image: ${m.reference}` },
  badArchive: { code: 'INVALID_ARGUMENT', message: () => 'manifest.json: there is none' },
});

/** A gateway before owners of the test's making, on sockets of its own. */
export interface Engine {
  /** Path of the public socket. */
  readonly socket: string;
  readonly execRoot: string;
  /** Takes an owner away, and brings it back. */
  stop(role: Role): Promise<void>;
  restart(role: Role): Promise<void>;
  stopGateway(): Promise<void>;
}

/** Where clients find it; the socket in the exec root when left out. */
export interface Public {
  host?: string;
  tls?: TlsFiles;
  log?: Logger;
}

export async function startEngine(
  t: TestContext,
  owners: Owners,
  { host, tls, log: given }: Public = {},
): Promise<Engine> {
  const execRoot = await mkdtemp(join(tmpdir(), 'longshore-gateway-'));
  const log = silentLogger();
  const running = new Map<Role, Served>();
  const services = servicesOf(owners);
  const open = async (role: Role) => {
    const listen = [`unix://${execRoot}/${role}.sock`];
    running.set(role, await serve({ role, log, listen, services: services[role] ?? [] }));
  };
  const stop = async (role: Role) => running.get(role)?.stop();
  for (const role of ['daemon', 'graph', 'graphdriver', 'execdriver', 'volume', 'network'] as const) await open(role);

  const socket = join(execRoot, 'docker.sock');
  const flags = { host: [host ?? `unix://${socket}`] };
  const config = { role: 'gateway' as const, dataRoot: execRoot, execRoot, log: given ?? log, flags };
  const gateway = await start(serviceConfig({ ...config, ...(tls !== undefined && { tls }) }));
  t.after(async () => {
    await gateway.stop();
    await Promise.all([...running.keys()].map(stop));
    await rm(execRoot, { recursive: true });
  });
  await gatewayOpen(execRoot);
  return { socket, execRoot, stop: async (role) => void (await stop(role)), restart: open, stopGateway: gateway.stop };
}

async function gatewayOpen(execRoot: string): Promise<void> {
  const channel = dial(`unix://${execRoot}/gateway.sock`, { role: 'test', log: silentLogger() });
  try {
    for await (const health of watchHealth(channel, 'longshore.gateway', AbortSignal.timeout(10_000))) {
      if (health === 'SERVING') return;
    }
  } finally {
    channel.close();
  }
}

function servicesOf(owners: Owners): Partial<Record<Role, Service[]>> {
  return {
    daemon: [
      fake(ContainerServiceDefinition, owners.containers),
      fake(ControlServiceDefinition, owners.control),
      fake(EventServiceDefinition, owners.events),
      fake(SystemServiceDefinition, owners.system),
    ],
    execdriver: [
      fake(StreamServiceDefinition, owners.streams),
      fake(ProcessServiceDefinition, owners.processes),
      fake(ExecServiceDefinition, owners.execs),
      fake(UsageServiceDefinition, owners.usage),
      fake(FileServiceDefinition, owners.files),
    ],
    graph: [fake(ImageServiceDefinition, owners.images)],
    graphdriver: [fake(LayerServiceDefinition, owners.layers)],
    volume: [fake(VolumeServiceDefinition, owners.volumes)],
    network: [fake(NetworkServiceDefinition, owners.networks)],
  };
}

function fake<D extends TsProtoServiceDefinition>(
  definition: D,
  methods: Partial<ServiceImplementation<D>> | undefined,
): Service {
  const unserved = Object.values(definition.methods).map(({ name }) => {
    const refuse = () => {
      throw errors.unserved({ method: name });
    };
    return [name.replace(/^./, (letter) => letter.toLowerCase()), refuse];
  });
  return service(definition, { ...Object.fromEntries(unserved), ...methods } as ServiceImplementation<D>, {
    serving: true,
  });
}
