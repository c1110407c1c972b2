import { programVersion } from '../../../kit/flags.ts';
import type { Records } from '../../../kit/records.ts';
import { clientsOf } from '../clients.ts';
import { isDebug } from '../config.ts';
import { type Containers, openContainers } from '../containers/containers.ts';
import type { Engine, EngineFacts } from '../daemon.ts';
import { type Events, openEvents } from '../events/events.ts';
import type { LinkGraph } from '../linkgraph/linkgraph.ts';
import { containerServices } from '../services.ts';
import { started } from '../supervisor/services.ts';
import type { Step } from './boot.ts';
import type { Host } from './host.ts';
import type { DefaultBridge } from './init-network-driver.ts';
import type { ExecDriver } from './load-exec-driver.ts';
import type { LayerStore } from './load-graph-driver.ts';
import type { Roots } from './lock-roots.ts';
import type { HostFacts } from './probe-host.ts';
import type { Services } from './start-services.ts';

/** What the steps before have found and opened. */
export interface Parts {
  readonly host: Host;
  readonly roots: Roots;
  readonly services: Services;
  readonly layers: LayerStore;
  readonly repository: Records;
  readonly volumeDrivers: readonly string[];
  readonly bridge: DefaultBridge;
  readonly links: LinkGraph;
  readonly kernel: HostFacts;
  readonly runtime: ExecDriver;
}

/** The engine, put together. */
export interface Daemon {
  readonly engine: Engine;
  readonly containers: Containers;
  readonly events: Events;
  readonly services: Services;
  /** Lets begin what changes containers. */
  readonly restored: () => void;
}

export const buildDaemon = (parts: Parts): Step<Daemon> => ({
  name: 'build the daemon',
  run(step) {
    const { host, roots, services } = parts;
    const engine: Engine = {
      engineId: roots.fence.engineId,
      epoch: roots.fence.epoch,
      facts: factsOf(parts),
      clients: clientsOf(services),
      records: parts.repository,
      links: parts.links,
      log: host.log,
      services: () => started.map((role) => services[role].status()),
      bootDurationNs: host.bootDurationNs,
    };
    const events = openEvents(engine);
    step.defer(() => events.close());
    const containers = openContainers(engine, events);
    const { server } = services;
    const restored = Promise.withResolvers<void>();
    const ready = containerServices(containers, events, engine, restored.promise);
    server.containers.set(ready.containers);
    server.events.set(ready.events);
    server.system.set(ready.system);
    step.defer(() => {
      for (const each of [server.containers, server.events, server.system]) each.set(undefined);
    });
    return { engine, containers, events, services, restored: restored.resolve };
  },
});

function factsOf(parts: Parts): EngineFacts {
  const { config } = parts.host;
  return {
    version: programVersion(),
    revision: '',
    dataRoot: config.dataRoot,
    execRoot: config.execRoot,
    host: parts.kernel,
    graphdriver: parts.layers,
    execdriver: parts.runtime,
    network: parts.bridge,
    volumeDrivers: [...parts.volumeDrivers],
    networkDisabled: config.disableNetwork,
    remapsUsers: config.idMaps !== undefined,
    defaults: {
      get runtime() {
        return config.defaultRuntime;
      },
      get runtimes() {
        return [...new Set(['crun', 'runc', config.defaultRuntime, ...config.runtimes.map(({ name }) => name)])];
      },
      logDriver: config.logDriver,
      logOptions: { ...config.logOptions },
      init: config.init,
      noNewPrivileges: config.noNewPrivileges,
      seccompProfile: config.seccompProfile,
      get shmSize() {
        return config.defaultShmSize;
      },
      ipcMode: config.defaultIpcMode,
      cgroupnsMode: config.defaultCgroupnsMode,
      stopTimeoutS: 10,
    },
    get liveRestore() {
      return config.liveRestore;
    },
    get debug() {
      return isDebug(config);
    },
    get insecureRegistries() {
      return [...config.insecureRegistries];
    },
    get labels() {
      return [...config.labels];
    },
  };
}
