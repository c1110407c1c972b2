import { arch, cpus, hostname, release, totalmem } from 'node:os';
import {
  ControlServiceDefinition,
  type ControlServiceImplementation,
  InitRequest,
} from '../proto/gen/longshore/execdriver/v1/control.ts';
import { ExecServiceDefinition } from '../proto/gen/longshore/execdriver/v1/exec.ts';
import { FileServiceDefinition } from '../proto/gen/longshore/execdriver/v1/files.ts';
import { HostServiceDefinition, ProbeResponse } from '../proto/gen/longshore/execdriver/v1/host.ts';
import { ProcessServiceDefinition } from '../proto/gen/longshore/execdriver/v1/process.ts';
import { StreamServiceDefinition } from '../proto/gen/longshore/execdriver/v1/stream.ts';
import { UsageServiceDefinition } from '../proto/gen/longshore/execdriver/v1/usage.ts';
import { attach } from './execdriver/attach.ts';
import { type ContainerMemory, createContainerStore, noContainers } from './execdriver/containers.ts';
import { errors } from './execdriver/errors.ts';
import { execService } from './execdriver/exec-service.ts';
import { createExecStore } from './execdriver/execs.ts';
import { fileService } from './execdriver/file-service.ts';
import { processService } from './execdriver/process-service.ts';
import { readLogs } from './execdriver/read-logs.ts';
import { type ContainerState, createState } from './execdriver/state.ts';
import { usageService } from './execdriver/usage-service.ts';
import { type Fake, type FakeOptions, type Life, type Opened, startFake } from './fake.ts';
import { openInit } from './init.ts';

export type ExecdriverMethod =
  | keyof (typeof ControlServiceDefinition)['methods']
  | keyof (typeof HostServiceDefinition)['methods']
  | keyof (typeof ProcessServiceDefinition)['methods']
  | keyof (typeof StreamServiceDefinition)['methods']
  | keyof (typeof ExecServiceDefinition)['methods']
  | keyof (typeof UsageServiceDefinition)['methods']
  | keyof (typeof FileServiceDefinition)['methods'];

export type FakeExecdriver = Fake<ExecdriverMethod, ContainerState>;

export interface FakeExecdriverOptions extends FakeOptions {
  /** What HostService tells, where it is to differ from a host that can do everything. */
  probe?: Partial<ProbeResponse>;
}

/**
 * Processes in memory: `true`, `false`, `echo`, `sleep`, `cat` and a small `sh`; any other command is COMMAND_NOT_FOUND.
 * Signals that end a process end it with 128 + n. They outlive a crash of the fake, as real ones do.
 */
export function startFakeExecdriver(options: FakeExecdriverOptions): Promise<FakeExecdriver> {
  return startFake<ContainerMemory, ContainerState, ExecdriverMethod>(
    { role: 'execdriver', forget: noContainers, open: (life) => open(life, options.probe ?? {}) },
    options,
  );
}

const builtIn = ['', 'crun', 'runc'];

function open(life: Life<ContainerMemory>, probe: Partial<ProbeResponse>): Opened<ContainerState> {
  const init = openInit(life, InitRequest);
  const store = createContainerStore(life, probe.apparmor ?? false);
  const execs = createExecStore(life.durable, store);
  const living = () => store.processes().filter(({ id }) => store.living(id) !== undefined);
  const control: ControlServiceImplementation = {
    identify: init.identify,
    async init(request) {
      const accepted = init.accept(request);
      const runtime = request.defaultRuntime;
      const isKnown = builtIn.includes(runtime.replace(/^\/usr\/bin\//, ''));
      if (!isKnown && !request.runtimes.some(({ name }) => name === runtime)) throw errors.runtimeMissing({ runtime });
      accepted.remember();
      return { runtime: `${runtime || 'crun'} 1.0`, monitor: 'conmon 2.1', warnings: [], adopted: living().length };
    },
    async drain({ keep }) {
      store.killAllBut(new Set(keep));
      init.forget();
      return { problems: [] };
    },
  };
  return {
    services: [
      life.service(ControlServiceDefinition, control, { serving: true }),
      life.service(HostServiceDefinition, { probe: async () => hostOf(life.bootId, probe) }, { serving: true }),
      life.service(ProcessServiceDefinition, processService(life, store, init.needed)),
      life.service(ExecServiceDefinition, execService(life, execs, store, init.needed)),
      life.service(UsageServiceDefinition, usageService(life, store, execs, init.needed)),
      life.service(FileServiceDefinition, fileService(life.durable.files, init.needed)),
      life.service(StreamServiceDefinition, {
        async *attach(requests, { signal }) {
          init.needed();
          yield* attach(store, requests, signal);
        },
        async *readLogs(request, { signal }) {
          init.needed();
          yield* readLogs(store, request, signal);
        },
      }),
    ],
    state: createState(life.durable, store),
    leftovers: () =>
      store.processes().map(({ id }) => `${store.living(id) === undefined ? 'dead' : 'living'} container ${id}`),
  };
}

function hostOf(bootId: string, probe: Partial<ProbeResponse>): ProbeResponse {
  return ProbeResponse.fromPartial({
    cgroupLayout: 'v2',
    memoryLimit: true,
    swapLimit: true,
    cpuShares: true,
    cpuQuota: true,
    cpuset: true,
    pidsLimit: true,
    blkio: true,
    memoryReservation: true,
    blkioWeight: true,
    blkioWeightDevice: true,
    blkioThrottle: true,
    cgroupNamespaces: true,
    freezer: true,
    seccomp: true,
    bootId,
    kernelVersion: release(),
    operatingSystem: 'Longshore fakes',
    architecture: arch() === 'arm64' ? 'aarch64' : 'x86_64',
    cpus: cpus().length,
    memoryTotal: totalmem(),
    ipv4Forwarding: true,
    hostname: hostname(),
    maskedPaths: ['/proc/kcore', '/sys/firmware'],
    readonlyPaths: ['/proc/sys'],
    ...probe,
  });
}
