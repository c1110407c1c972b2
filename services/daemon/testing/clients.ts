import { Outcome } from '../../../proto/gen/longshore/contract/v1/outcome.ts';
import { ContainerProcess } from '../../../proto/gen/longshore/execdriver/v1/process.ts';
import { Image } from '../../../proto/gen/longshore/graph/v1/image.ts';
import { Sandbox, SandboxMode } from '../../../proto/gen/longshore/network/v1/sandbox.ts';
import type { Clients } from '../daemon.ts';
import { refusal, type World } from './world.ts';

const done = { outcome: Outcome.OUTCOME_DONE };
const already = { outcome: Outcome.OUTCOME_ALREADY };
const absent = { outcome: Outcome.OUTCOME_ABSENT };

export const busybox = Image.create({
  id: `sha256:${'b'.repeat(64)}`,
  tags: ['busybox:latest'],
  config: {
    cmd: ['sh'],
    env: ['PATH=/bin', 'IMAGE=yes'],
    labels: { vendor: 'test' },
    exposedPorts: ['80/tcp'],
    stopSignal: 'SIGQUIT',
  },
  os: 'linux',
  architecture: 'amd64',
  topLayer: 'c'.repeat(64),
  diffIds: ['sha256:low'],
  size: 1000,
});

/** The five services in memory, on this side of the wire. Only what the daemon calls is there. */
export function createClients(world: World): Clients {
  const call =
    <Request, Response>(name: string, effect: (request: Request) => Response) =>
    async (request: Request): Promise<Response> => {
      await world.disturb(name, request);
      world.calls.push(name);
      const response = effect(request);
      await world.disturbAnswer(name, request);
      return response;
    };
  const clients = {
    graph: {
      images: graphImages(world, call),
      events: { watchImages: standingOnly },
    },
    graphdriver: { layers: layers(world, call) },
    execdriver: { processes: processes(world, call), host: {} },
    volume: { volumes: volumes(world, call) },
    network: { networks: networks(world), ...sandboxes(world, call) },
  };
  return clients as unknown as Clients;
}

type MakeCall = <Request, Response>(
  name: string,
  effect: (request: Request) => Response,
) => (request: Request) => Promise<Response>;

async function* standingOnly(_: unknown, { signal }: { signal: AbortSignal }) {
  yield { cursor: 0, latest: 1 };
  await aborted(signal);
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

function graphImages(world: World, call: MakeCall) {
  const find = (reference: string) => {
    if (reference !== 'busybox' && reference !== busybox.id) {
      throw refusal('NOT_FOUND', 'IMAGE_NOT_FOUND', `No such image: ${reference}:latest`);
    }
    return busybox;
  };
  return {
    getImage: call('graph.getImage', ({ reference }: { reference: string }) => ({ image: find(reference) })),
    acquireImage: call('graph.acquireImage', ({ reference, holder }: { reference: string; holder: string }) => {
      const image = find(reference);
      world.imageHolders.set(holder, image.id);
      return { ...done, image };
    }),
    releaseImage: call('graph.releaseImage', ({ holder }: { holder: string }) =>
      world.imageHolders.delete(holder) ? done : absent,
    ),
    reconcileHolders: call('graph.reconcileHolders', ({ holdings }: { holdings: { holder: string }[] }) => {
      const kept = new Set(holdings.map(({ holder }) => holder));
      const released = [...world.imageHolders.keys()].filter((holder) => !kept.has(holder));
      for (const holder of released) world.imageHolders.delete(holder);
      return { released };
    }),
    async *listImages() {
      yield { image: busybox };
    },
  };
}

function layers(world: World, call: MakeCall) {
  const find = (id: string) => {
    const holders = world.layers.get(id);
    if (holders === undefined) throw refusal('NOT_FOUND', 'LAYER_NOT_FOUND', `no such layer: ${id}`);
    return holders;
  };
  return {
    createLayer: call('graphdriver.createLayer', ({ id }: { id: string }) => {
      if (world.layers.has(id)) return already;
      world.layers.set(id, new Set());
      return done;
    }),
    mountLayer: call('graphdriver.mountLayer', ({ id, holder }: { id: string; holder: string }) => {
      find(id).add(holder);
      return { ...done, path: `/merged/${id.slice(0, 6)}` };
    }),
    unmountLayer: call('graphdriver.unmountLayer', ({ id, holder }: { id: string; holder: string }) =>
      world.layers.get(id)?.delete(holder) ? done : absent,
    ),
    removeLayer: call('graphdriver.removeLayer', ({ id }: { id: string }) => {
      if ((world.layers.get(id)?.size ?? 0) > 0) throw refusal('FAILED_PRECONDITION', 'LAYER_IN_USE', 'mounted');
      return world.layers.delete(id) ? done : absent;
    }),
    getLayer: call('graphdriver.getLayer', ({ id }: { id: string }) => ({ layer: { id, size: 42 } })),
    async *listLayers() {
      for (const [id, holders] of world.layers) yield { layer: { id, writable: true, holders: [...holders] } };
    },
  };
}

function processes(world: World, call: MakeCall) {
  const living = (id: string) => {
    const process = world.processes.get(id);
    return process !== undefined && process.state !== 4 ? process : undefined;
  };
  return {
    startContainer: call(
      'execdriver.startContainer',
      ({ id, generation, spec }: { id: string; generation: number; spec: unknown }) => {
        const running = world.processes.get(id);
        if (running?.generation === generation) return { ...already, process: { ...running } };
        const process = {
          ...ContainerProcess.create({
            id,
            generation,
            state: 2,
            pid: 1000 + world.processes.size,
            startedAtNs: BigInt(Date.now()) * 1_000_000n,
            bootId: world.bootId,
            logPath: `/logs/${id}`,
          }),
          spec,
        };
        world.processes.set(id, process);
        world.processEvents.append({ event: 1, process: { ...process } });
        return { ...done, process: { ...process } };
      },
    ),
    signalContainer: call('execdriver.signalContainer', ({ id, signal }: { id: string; signal: number }) => {
      if (living(id) === undefined) return absent;
      world.onSignal(id, signal);
      return done;
    }),
    pauseContainer: call('execdriver.pauseContainer', ({ id }: { id: string }) => setState(id, 3)),
    resumeContainer: call('execdriver.resumeContainer', ({ id }: { id: string }) => setState(id, 2)),
    removeContainer: call('execdriver.removeContainer', ({ id }: { id: string }) => {
      if (living(id) !== undefined) throw refusal('FAILED_PRECONDITION', 'RUNNING', 'its init lives');
      return world.processes.delete(id) ? done : absent;
    }),
    async *listContainers() {
      await world.disturb('execdriver.listContainers', {});
      for (const process of world.processes.values()) yield { process: { ...process } };
    },
    async *watchContainers({ after }: { after: number }, { signal }: { signal: AbortSignal }) {
      await world.disturb('execdriver.watchContainers', {});
      const latest = world.processEvents.cursor;
      yield { cursor: 0, latest };
      for await (const { cursor, event } of world.processEvents.watch(after || latest, signal)) {
        await world.disturb('execdriver.watchContainers', {});
        yield { cursor, latest: cursor, ...event };
      }
    },
  };

  function setState(id: string, state: 2 | 3) {
    const process = living(id);
    if (process === undefined) throw refusal('FAILED_PRECONDITION', 'NOT_RUNNING', 'not running');
    process.state = state;
    return done;
  }
}

function volumes(world: World, call: MakeCall) {
  interface Acquire {
    volume: { name: string; anonymous: boolean };
    holder: string;
  }
  const held = (holder: string) => [...world.volumes.values()].filter((volume) => volume.holders.has(holder));
  return {
    acquireVolume: call('volume.acquireVolume', ({ volume, holder }: Acquire) => {
      const { name, anonymous } = volume;
      const found = world.volumes.get(name) ?? { name, anonymous, holders: new Set(), mounted: new Set() };
      world.volumes.set(name, found);
      found.holders.add(holder);
      return { ...done, volume: { name, driver: 'local', mountpoint: `/volumes/${name}/_data`, anonymous } };
    }),
    releaseVolume: call(
      'volume.releaseVolume',
      ({ holder, removeAnonymous }: { holder: string; removeAnonymous: boolean }) => {
        for (const volume of held(holder)) {
          volume.holders.delete(holder);
          if (removeAnonymous && volume.anonymous && volume.holders.size === 0) world.volumes.delete(volume.name);
        }
        return done;
      },
    ),
    mountVolume: call('volume.mountVolume', ({ name, holder }: { name: string; holder: string }) => {
      world.volumes.get(name)?.mounted.add(holder);
      return { ...done, path: `/volumes/${name}/_data` };
    }),
    unmountVolume: call('volume.unmountVolume', ({ holder }: { holder: string }) => {
      for (const volume of world.volumes.values()) volume.mounted.delete(holder);
      return done;
    }),
    reconcileHolders: call(
      'volume.reconcileHolders',
      ({ holdings }: { holdings: { holder: string; name: string; mounted: boolean }[] }) => {
        for (const volume of world.volumes.values()) {
          const kept = holdings.filter(({ name }) => name === volume.name);
          volume.holders = new Set(kept.map(({ holder }) => holder));
          volume.mounted = new Set(kept.filter(({ mounted }) => mounted).map(({ holder }) => holder));
        }
        return { released: [] };
      },
    ),
    async *listVolumes() {
      for (const volume of world.volumes.values()) yield { volume: { ...volume, holders: [...volume.holders] } };
    },
    watchVolumes: standingOnly,
  };
}

function networks(world: World) {
  return {
    async *watchNetworks({ after }: { after: number }, { signal }: { signal: AbortSignal }) {
      const latest = world.networkEvents.cursor;
      yield { cursor: 0, latest };
      for await (const { cursor, event } of world.networkEvents.watch(after || latest, signal)) {
        const attributes = { container: event.container, name: 'bridge', type: 'bridge' };
        yield { cursor, latest: cursor, action: event.action, networkId: 'n'.repeat(64), attributes, timeNs: 1n };
      }
    },
  };
}

function sandboxes(world: World, call: MakeCall) {
  interface Create {
    id: string;
    mode: SandboxMode;
    endpoints: { network: string }[];
    ports: { protocol: string; containerPort: number; hostIp: string; hostPort: number }[];
  }
  return {
    sandboxes: {
      createSandbox: call('network.createSandbox', ({ id, mode, endpoints, ports }: Create) => {
        const sandbox = Sandbox.create({
          id,
          mode,
          namespacePath: mode === SandboxMode.SANDBOX_MODE_HOST ? '' : `/netns/${id.slice(0, 6)}`,
          endpoints: endpoints.map(({ network }) => ({
            id: 'e'.repeat(64),
            networkName: network,
            networkId: 'n'.repeat(64),
            ipv4Address: `10.9.0.${2 + world.sandboxes.size}`,
            ipv4Prefix: 24,
          })),
          ports: ports.map((port) => ({
            ...port,
            hostIp: port.hostIp || '0.0.0.0',
            hostPort: port.hostPort || 32_768,
          })),
          resolvConfPath: '/net/resolv.conf',
          hostsPath: '/net/hosts',
          hostnamePath: '/net/hostname',
        });
        world.sandboxes.set(id, sandbox);
        world.networkEvents.append({ action: 'connect', container: id });
        return { ...done, sandbox };
      }),
      removeSandbox: call('network.removeSandbox', ({ id }: { id: string }) =>
        world.sandboxes.delete(id) ? done : absent,
      ),
      getSandbox: call('network.getSandbox', ({ id }: { id: string }) => {
        const sandbox = world.sandboxes.get(id);
        if (sandbox === undefined) throw refusal('NOT_FOUND', 'SANDBOX_NOT_FOUND', 'no such sandbox');
        return { sandbox };
      }),
    },
    control: {
      reconcileSandboxes: call('network.reconcileSandboxes', ({ keep }: { keep: string[] }) => {
        const removed = [...world.sandboxes.keys()].filter((id) => !keep.includes(id));
        for (const id of removed) world.sandboxes.delete(id);
        return { removed, missing: keep.filter((id) => !world.sandboxes.has(id)) };
      }),
    },
  };
}
