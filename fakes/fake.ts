import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import type { ServiceImplementation, TsProtoServiceDefinition } from 'nice-grpc';
import { type Logger, silentLogger } from '../kit/log.ts';
import { openRecords, type Records } from '../kit/records.ts';
import type { Role } from '../kit/roles.ts';
import { createOwnHealth } from '../kit/rpc/health.ts';
import { type Served, type Service, serve, service } from '../kit/rpc/serve.ts';
import type { TlsFiles } from '../kit/service.ts';
import { bootIdOfHost } from './boot-id.ts';
import { type Calls, createDoor, type Door } from './calls.ts';
import { controlled } from './controlled.ts';

/** A ServiceConfig is one too, so that a fake can be started wherever a service can. */
export interface FakeOptions {
  /** `unix:///path` or `tcp://127.0.0.1:0`, one or several. */
  listen: string | readonly string[];
  log?: Logger;
  group?: string;
  tls?: TlsFiles;
  /** What Identify tells, and where the paths that are given out begin. Nothing is written there. */
  dataRoot?: string;
  execRoot?: string;
  /** The boot that the fake's host is in; this host's when left out. */
  bootId?: string;
}

export interface RestartOptions {
  /** False: as on an empty data root. */
  memory?: boolean;
  /** Another boot of the host: what only a kernel can hold is gone. */
  bootId?: string;
}

/** A service in memory. */
export interface Fake<Method extends string, State> {
  /** Where to dial it; `endpoints` has one for each of `listen`. */
  readonly endpoint: string;
  readonly endpoints: readonly string[];
  /** Makes calls fail, wait or lose their answer, and tells which came. */
  readonly calls: Calls<Method>;
  /** What is in it, and what a test can make happen. New after a restart without memory. */
  readonly state: State;
  /** What is still held, one line each; empty after a clean end. */
  leftovers(): string[];
  /** Ends at once: calls in progress fail UNAVAILABLE, and nothing answers until `restart`. */
  crash(): Promise<void>;
  /** Begins anew with what the real service would have kept. Crashes first when it runs. */
  restart(options?: RestartOptions): Promise<void>;
  stop(): Promise<void>;
}

/** One life of a fake: from a start to a crash or stop. */
export interface Life<Durable> {
  readonly role: Role;
  /** Outcomes by request id, and whom the service obeys. */
  readonly records: Records;
  readonly durable: Durable;
  readonly bootId: string;
  /** The boot that the memory is from; another one when the host was restarted. */
  readonly bootIdBefore: string;
  readonly dataRoot: string;
  readonly execRoot: string;
  readonly log: Logger;
  /** Aborted at its end. */
  readonly ended: AbortSignal;
  /** A contract with its implementation, under the test's control. `serving`: healthy before Init. */
  service<D extends TsProtoServiceDefinition>(
    definition: D,
    implementation: ServiceImplementation<D>,
    options?: { serving?: boolean },
  ): Service;
  /** Health of the contracts that need an Init. */
  setServing(isServing: boolean): void;
}

export interface Opened<State> {
  services: readonly Service[];
  state: State;
  leftovers(): string[];
}

/** What makes a fake one of a particular service. */
export interface Parts<Durable, State> {
  role: Role;
  /** The memory of a service that never ran. */
  forget(): Durable;
  open(life: Life<Durable>): Opened<State>;
}

export async function startFake<Durable, State, Method extends string>(
  parts: Parts<Durable, State>,
  options: FakeOptions,
): Promise<Fake<Method, State>> {
  const door = createDoor<Method>(parts.role);
  let listen = typeof options.listen === 'string' ? [options.listen] : [...options.listen];
  let memory = newMemory(parts, options.bootId ?? bootIdOfHost());
  let bootId = memory.bootId;
  let running = await begin();
  // A port that was free is kept, so that clients find the fake again.
  listen = running.served.endpoints.map((endpoint) => endpoint.replace(/^dns:\/\/\//, 'tcp://'));

  async function begin(): Promise<RunningLife<State>> {
    const life = await live(parts, options, listen, memory, bootId, door as Door<string>);
    memory.bootId = bootId;
    return life;
  }

  async function crash(): Promise<void> {
    running.end();
    await running.served.stop();
  }

  return {
    get endpoint() {
      return running.served.endpoints[0] ?? '';
    },
    get endpoints() {
      return running.served.endpoints;
    },
    calls: door,
    get state() {
      return running.opened.state;
    },
    leftovers: () => running.opened.leftovers(),
    crash,
    async restart(again = {}) {
      await crash();
      bootId = again.bootId ?? bootId;
      if (again.memory === false) {
        memory.records.close();
        memory = newMemory(parts, bootId);
      }
      running = await begin();
    },
    async stop() {
      await crash();
      memory.records.close();
    },
  };
}

interface Memory<Durable> {
  records: Records;
  durable: Durable;
  bootId: string;
}

function newMemory<Durable, State>(parts: Parts<Durable, State>, bootId: string): Memory<Durable> {
  return { records: openRecords(':memory:', { migrations: [] }), durable: parts.forget(), bootId };
}

interface RunningLife<State> {
  served: Served;
  opened: Opened<State>;
  end(): void;
}

async function live<Durable, State>(
  parts: Parts<Durable, State>,
  options: FakeOptions,
  listen: readonly string[],
  memory: Memory<Durable>,
  bootId: string,
  door: Door<string>,
): Promise<RunningLife<State>> {
  const { role } = parts;
  const ending = new AbortController();
  const log = options.log ?? silentLogger();
  const needInit: TsProtoServiceDefinition[] = [];
  const health = createOwnHealth();
  let isServing = false;
  const opened = parts.open({
    role,
    records: memory.records,
    durable: memory.durable,
    bootId,
    bootIdBefore: memory.bootId,
    dataRoot: options.dataRoot ?? '/var/lib/longshore',
    execRoot: options.execRoot ?? '/run/longshore',
    log,
    ended: ending.signal,
    service(definition, implementation, { serving = false } = {}) {
      if (!serving) {
        needInit.push(definition);
        health.set(isServing, definition);
      }
      return service(definition, controlled(definition, implementation, { role, door, ended: ending.signal }), {
        serving,
      });
    },
    setServing(now) {
      isServing = now;
      health.set(now, ...needInit);
    },
  });
  for (const endpoint of listen) {
    if (endpoint.startsWith('unix://')) mkdirSync(dirname(endpoint.slice('unix://'.length)), { recursive: true });
  }
  const served = await serve({
    role,
    listen,
    log,
    services: opened.services,
    health,
    ...(options.group !== undefined && { group: options.group }),
    ...(options.tls !== undefined && { tls: options.tls }),
  });
  return { served, opened, end: () => ending.abort() };
}
