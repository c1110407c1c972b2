import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { type CallContext, Metadata } from 'nice-grpc';
import { silentLogger } from '../../../kit/log.ts';
import { newRequestId, withCall } from '../../../kit/rpc/call.ts';
import { ContainerConfig, HostConfig } from '../../../proto/gen/longshore/daemon/v1/config.ts';
import type * as messages from '../../../proto/gen/longshore/daemon/v1/container.ts';
import type { WatchEventsRequest } from '../../../proto/gen/longshore/daemon/v1/event.ts';
import { InitResponse as ExecDriverInit } from '../../../proto/gen/longshore/execdriver/v1/control.ts';
import { ProbeResponse } from '../../../proto/gen/longshore/execdriver/v1/host.ts';
import { InitResponse as GraphDriverInit } from '../../../proto/gen/longshore/graphdriver/v1/control.ts';
import { InitResponse as NetworkInit } from '../../../proto/gen/longshore/network/v1/control.ts';
import { type Containers, lifecycleOf, openContainers } from '../containers/containers.ts';
import { openContainerRecords } from '../containers/records.ts';
import { restore } from '../containers/restore.ts';
import type { Engine, EngineFacts } from '../daemon.ts';
import { type Events, openEvents } from '../events/events.ts';
import { openLinkGraph } from '../linkgraph/linkgraph.ts';
import { type ContainerServices, containerServices } from '../services.ts';
import { createClients } from './clients.ts';
import { createWorld, type World } from './world.ts';

/** An engine whose five services are in memory. Its records are real files, so it can be killed and started again. */
export interface TestEngine {
  world: World;
  engine: Engine;
  containers: Containers;
  events: Events;
  services: ContainerServices;
  /** Without any farewell: what is not on disk is gone. Gives the next engine on the same root. */
  crash(between?: (world: World) => void): Promise<TestEngine>;
}

type Unary = Exclude<keyof ContainerServices['containers'], 'waitContainer' | 'listContainers' | 'openFiles'>;

export async function startEngine(context: TestContext, facts: Partial<EngineFacts> = {}): Promise<TestEngine> {
  const root = mkdtempSync(join(tmpdir(), 'longshore-daemon-'));
  context.after(() => rmSync(root, { recursive: true, force: true }));
  return boot(context, root, createWorld(), facts);
}

async function boot(
  context: TestContext,
  root: string,
  world: World,
  facts: Partial<EngineFacts>,
): Promise<TestEngine> {
  const records = openContainerRecords(join(root, 'containers.db'));
  const links = openLinkGraph(join(root, 'linkgraph.db'));
  // A dead engine reaches nobody: its calls hang, as those of a killed process never happen.
  let isDead = false;
  const hang = new Promise<never>(() => undefined);
  const reach: World = {
    ...world,
    disturb: (call, request) => (isDead ? hang : world.disturb(call, request)),
    disturbAnswer: async (call, request) => {
      await world.disturbAnswer(call, request);
      if (isDead) await hang;
    },
    onSignal: (id, signal) => world.onSignal(id, signal),
    onProbe: (request) => world.onProbe(request),
  };
  const engine: Engine = {
    engineId: 'e'.repeat(32),
    epoch: 1,
    facts: { ...usualFacts, host: ProbeResponse.create({ ...usualHost, bootId: world.bootId }), ...facts },
    clients: createClients(reach),
    records,
    links,
    log: silentLogger(),
    services: () => [],
    bootDurationNs: () => 0n,
  };
  const events = openEvents(engine);
  const containers = openContainers(engine, events, world.clock);
  const end = async () => {
    if (isDead) return;
    isDead = true;
    const lifecycle = lifecycleOf(containers);
    lifecycle.isEnding = true;
    for (const timer of lifecycle.restartTimers.values()) clearTimeout(timer);
    await events.close();
    records.close();
    links.close();
  };
  context.after(end);
  await restore(containers);
  return {
    world,
    engine,
    containers,
    events,
    services: containerServices(containers, events, engine, Promise.resolve()),
    async crash(between = () => undefined) {
      await end();
      between(world);
      return boot(context, root, world, facts);
    },
  };
}

const usualHost = {
  memoryLimit: true,
  swapLimit: true,
  cpuQuota: true,
  cpuShares: true,
  pidsLimit: true,
  memoryReservation: true,
  memorySwappiness: true,
  oomKillDisable: true,
  cpuset: true,
  blkioWeight: true,
  cpus: 2,
  hostname: 'the-host',
  architecture: 'amd64',
};

export const usualFacts: EngineFacts = {
  version: '0.0.0',
  revision: '',
  dataRoot: '/data',
  execRoot: '/exec',
  host: ProbeResponse.create(usualHost),
  graphdriver: GraphDriverInit.create({ driver: 'overlay2' }),
  execdriver: ExecDriverInit.create({ runtime: 'crun 1.8.1', monitor: 'conmon 2.1.6' }),
  network: NetworkInit.create({ bridge: 'longshore0' }),
  volumeDrivers: ['local'],
  networkDisabled: false,
  remapsUsers: false,
  defaults: {
    runtime: 'crun',
    runtimes: ['crun', 'runc'],
    logDriver: 'json-file',
    logOptions: {},
    init: false,
    shmSize: 0,
    noNewPrivileges: false,
    seccompProfile: { name: 'builtin', rules: '' },
    ipcMode: 'private',
    cgroupnsMode: '',
    stopTimeoutS: 10,
  },
  liveRestore: true,
  debug: false,
  insecureRegistries: [],
  labels: [],
};

/** Calls a method of the container service as a client would, with a request id of its own or this one. */
export function call<M extends Unary>(
  { services }: TestEngine,
  method: M,
  request: Parameters<ContainerServices['containers'][M]>[0],
  requestId = newRequestId(),
): ReturnType<ContainerServices['containers'][M]> {
  const handler = services.containers[method] as (
    request: unknown,
    context: unknown,
  ) => ReturnType<ContainerServices['containers'][M]>;
  return withCall({ requestId, requestIdGiven: true, method }, () => handler(request, {}));
}

/** What a streaming method is called with. */
export function contextOf(signal: AbortSignal): CallContext {
  return {
    signal,
    metadata: Metadata(),
    peer: 'test',
    header: Metadata(),
    trailer: Metadata(),
    sendHeader: () => undefined,
  };
}

export function newId(): string {
  return randomBytes(32).toString('hex');
}

/** A container of busybox. Gives its id. */
export async function create(
  engine: TestEngine,
  parts: {
    id?: string;
    name?: string;
    config?: Parameters<typeof ContainerConfig.create>[0];
    host?: Parameters<typeof HostConfig.create>[0];
  } = {},
): Promise<string> {
  const id = parts.id ?? newId();
  await call(engine, 'createContainer', createRequest({ ...parts, id }));
  return id;
}

export function createRequest(parts: {
  id: string;
  name?: string;
  config?: Parameters<typeof ContainerConfig.create>[0];
  host?: Parameters<typeof HostConfig.create>[0];
}): messages.CreateContainerRequest {
  return {
    id: parts.id,
    name: parts.name ?? '',
    config: ContainerConfig.create({ image: 'busybox', ...parts.config }),
    hostConfig: HostConfig.create(parts.host ?? {}),
    endpoints: {},
    platform: '',
  };
}

export async function run(engine: TestEngine, parts: Parameters<typeof create>[1] = {}): Promise<string> {
  const id = await create(engine, parts);
  await call(engine, 'startContainer', { container: id });
  return id;
}

/** Its record as it is now. */
export function recordOf(engine: TestEngine, id: string) {
  return engine.containers.records().find((record) => record.id === id);
}

/** Settles when the record satisfies `is`. */
export async function until(is: () => boolean, what: string): Promise<void> {
  const end = Date.now() + 5_000;
  while (!is()) {
    if (Date.now() > end) throw new Error(`it did not come to be: ${what}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** What happened so far, as `type:action`. */
export function happened(engine: TestEngine): string[] {
  return [...engine.events.kept(0)].map(({ event }) => `${event.type}:${event.action}`);
}

export const everything: WatchEventsRequest = { after: 0, sinceNs: 0n, untilNs: 0n, filter: undefined };
