import { ServiceError } from '../../../kit/errors.ts';
import { createSequence, type Sequence } from '../../../kit/watch.ts';
import type {
  Exec,
  ExecEvent,
  RunProbeRequest,
  RunProbeResponse,
} from '../../../proto/gen/longshore/execdriver/v1/exec.ts';
import {
  type ContainerProcess,
  ProcessEvent,
  ProcessState,
} from '../../../proto/gen/longshore/execdriver/v1/process.ts';
import type { Resources } from '../../../proto/gen/longshore/execdriver/v1/spec.ts';
import type { HostEntry, Sandbox } from '../../../proto/gen/longshore/network/v1/sandbox.ts';
import { createTestClock, type TestClock } from './clock.ts';

/** What the five services hold, as the tests look at it and disturb it. It outlives an engine, as they do. */
export interface World {
  /** Called when the exec driver has listed its containers, before the list's end is told. */
  listed?: () => Promise<void>;
  /** `graphdriver.mountLayer` and so on, in the order they came. */
  readonly calls: string[];
  /** Holders of images, by container. */
  readonly imageHolders: Map<string, string>;
  /** Writable layers and who holds them mounted. */
  readonly layers: Map<string, Set<string>>;
  readonly sandboxes: Map<string, Sandbox>;
  /** What their hosts files have besides themselves. */
  readonly extraHosts: Map<string, readonly HostEntry[]>;
  readonly volumes: Map<string, FakeVolume>;
  readonly processes: Map<string, ContainerProcess>;
  readonly processEvents: Sequence<{ event: ProcessEvent; process: ContainerProcess }>;
  readonly execEvents: Sequence<{ event: ExecEvent; exec: Exec }>;
  /** What the kernel was given by UpdateResources last, by container. */
  readonly limits: Map<string, Resources>;
  readonly networkEvents: Sequence<{ action: string; container: string }>;
  /** Called before each call's effect; throws to refuse it, or waits. */
  disturb: (call: string, request: unknown) => void | Promise<void>;
  /** Called after the effect: a throw here is an answer that was lost. */
  disturbAnswer: (call: string, request: unknown) => void | Promise<void>;
  /** What becomes of a process that gets a signal. */
  onSignal: (id: string, signal: number) => void;
  /** What becomes of a health check. */
  onProbe: (request: RunProbeRequest) => Partial<RunProbeResponse> | Promise<Partial<RunProbeResponse>>;
  /** Of what the engine does in its time; only health checks go by it. */
  readonly clock: TestClock;
  bootId: string;
}

export interface FakeVolume {
  name: string;
  anonymous: boolean;
  holders: Set<string>;
  mounted: Set<string>;
}

export function createWorld(): World {
  const world: World = {
    calls: [],
    imageHolders: new Map(),
    layers: new Map(),
    sandboxes: new Map(),
    extraHosts: new Map(),
    volumes: new Map(),
    processes: new Map(),
    processEvents: createSequence(),
    execEvents: createSequence(),
    limits: new Map(),
    networkEvents: createSequence(),
    disturb: () => undefined,
    disturbAnswer: () => undefined,
    onSignal: (id, signal) => exit(world, id, 128 + signal),
    onProbe: () => ({ exitCode: 0 }),
    clock: createTestClock(),
    bootId: 'boot-1',
  };
  return world;
}

/** The container's process ends. */
export function exit(world: World, id: string, code: number): void {
  const process = world.processes.get(id);
  if (process === undefined || process.state === ProcessState.PROCESS_STATE_EXITED) return;
  process.state = ProcessState.PROCESS_STATE_EXITED;
  process.pid = 0;
  process.exit = { code, oomKilled: false, timeNs: BigInt(Date.now()) * 1_000_000n, unknown: false };
  world.processEvents.append({ event: ProcessEvent.PROCESS_EVENT_EXITED, process: { ...process } });
}

export function unavailable(service: string): ServiceError {
  return new ServiceError({
    service,
    reason: 'SERVICE_UNAVAILABLE',
    code: 'UNAVAILABLE',
    message: `${service} does not answer`,
  });
}

export function refusal(code: ServiceError['code'], reason: string, message: string): ServiceError {
  return new ServiceError({ service: 'test', reason, code, message });
}
