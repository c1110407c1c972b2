import type { Logger } from '../../kit/log.ts';
import type { Records } from '../../kit/records.ts';
import type { ServiceStatus } from '../../proto/gen/longshore/daemon/v1/system.ts';
import type { InitResponse as ExecDriverInit } from '../../proto/gen/longshore/execdriver/v1/control.ts';
import type { ExecServiceClient } from '../../proto/gen/longshore/execdriver/v1/exec.ts';
import type { ProbeResponse } from '../../proto/gen/longshore/execdriver/v1/host.ts';
import type { ProcessServiceClient } from '../../proto/gen/longshore/execdriver/v1/process.ts';
import type { UsageServiceClient } from '../../proto/gen/longshore/execdriver/v1/usage.ts';
import type { EventServiceClient } from '../../proto/gen/longshore/graph/v1/event.ts';
import type { ImageServiceClient } from '../../proto/gen/longshore/graph/v1/image.ts';
import type { InitResponse as GraphDriverInit } from '../../proto/gen/longshore/graphdriver/v1/control.ts';
import type { LayerServiceClient } from '../../proto/gen/longshore/graphdriver/v1/layer.ts';
import type {
  ControlServiceClient as NetworkControlClient,
  InitResponse as NetworkInit,
} from '../../proto/gen/longshore/network/v1/control.ts';
import type { NetworkServiceClient } from '../../proto/gen/longshore/network/v1/network.ts';
import type { SandboxServiceClient } from '../../proto/gen/longshore/network/v1/sandbox.ts';
import type { VolumeServiceClient } from '../../proto/gen/longshore/volume/v1/volume.ts';
import type { LinkGraph } from './linkgraph/linkgraph.ts';

/** What kit's clients take beside nice-grpc's own options. */
export interface CallExtras {
  /** Infinity: none. */
  deadlineMs?: number;
  requestId?: string;
}

/** What the daemon asks of the five services. One channel each, made by the boot. */
export interface Clients {
  graph: {
    images: Pick<
      ImageServiceClient<CallExtras>,
      'getImage' | 'listImages' | 'acquireImage' | 'releaseImage' | 'reconcileHolders'
    >;
    events: Pick<EventServiceClient<CallExtras>, 'watchImages'>;
  };
  graphdriver: {
    layers: Pick<
      LayerServiceClient<CallExtras>,
      'createLayer' | 'mountLayer' | 'unmountLayer' | 'removeLayer' | 'getLayer' | 'listLayers'
    >;
  };
  execdriver: {
    processes: Pick<
      ProcessServiceClient<CallExtras>,
      | 'startContainer'
      | 'signalContainer'
      | 'pauseContainer'
      | 'resumeContainer'
      | 'removeContainer'
      | 'listContainers'
      | 'watchContainers'
    >;
    execs: Pick<ExecServiceClient<CallExtras>, 'watchExecs' | 'runProbe'>;
    usage: Pick<UsageServiceClient<CallExtras>, 'updateResources'>;
  };
  volume: {
    volumes: Pick<
      VolumeServiceClient<CallExtras>,
      | 'acquireVolume'
      | 'releaseVolume'
      | 'mountVolume'
      | 'unmountVolume'
      | 'listVolumes'
      | 'reconcileHolders'
      | 'watchVolumes'
    >;
  };
  network: {
    networks: Pick<NetworkServiceClient<CallExtras>, 'watchNetworks'>;
    sandboxes: Pick<
      SandboxServiceClient<CallExtras>,
      'createSandbox' | 'updateSandbox' | 'removeSandbox' | 'getSandbox'
    >;
    control: Pick<NetworkControlClient<CallExtras>, 'reconcileSandboxes'>;
  };
}

/** What the boot found out and decided. What is of the configuration follows its reloads. */
export interface EngineFacts {
  version: string;
  revision: string;
  dataRoot: string;
  execRoot: string;
  /** execdriver's host: where containers run. Its boot id tells a reboot from a restart of the engine. */
  host: ProbeResponse;
  graphdriver: GraphDriverInit;
  execdriver: ExecDriverInit;
  network: NetworkInit;
  volumeDrivers: string[];
  /** There is no default bridge: containers have `none` and `host` only. */
  networkDisabled: boolean;
  /** Containers have a user namespace, unless they say otherwise. */
  remapsUsers: boolean;
  defaults: ContainerDefaults;
  /** Running containers stay when the engine ends. */
  liveRestore: boolean;
  debug: boolean;
  insecureRegistries: string[];
  /** `key=value` */
  labels: string[];
}

/** For containers that say nothing of their own. */
export interface ContainerDefaults {
  runtime: string;
  /** All that may be named. */
  runtimes: string[];
  logDriver: string;
  logOptions: Record<string, string>;
  init: boolean;
  noNewPrivileges: boolean;
  /** `rules` as the exec driver takes them; `name` as users know them. */
  seccompProfile: { name: string; rules: string };
  /** Bytes; 0: 64 MiB. */
  shmSize: number;
  ipcMode: string;
  /** Empty: by the version of cgroups. */
  cgroupnsMode: string;
  /** Seconds between the stop signal and SIGKILL. */
  stopTimeoutS: number;
}

/** The engine that the boot has put together: what containers, events and the system service stand on. */
export interface Engine {
  readonly engineId: string;
  readonly epoch: number;
  readonly facts: EngineFacts;
  readonly clients: Clients;
  /** `<data-root>/daemon/containers.db`, opened by `openContainerRecords`. */
  readonly records: Records;
  /** `<data-root>/daemon/linkgraph.db`, opened by `openLinkGraph`. */
  readonly links: LinkGraph;
  readonly log: Logger;
  /** Each service and whether it serves now. */
  services(): ServiceStatus[];
  /** From the first step to the last; 0 while the boot still goes on. */
  bootDurationNs(): bigint;
}
