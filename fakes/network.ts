import {
  ControlServiceDefinition,
  type ControlServiceImplementation,
  InitRequest,
} from '../proto/gen/longshore/network/v1/control.ts';
import { HostServiceDefinition } from '../proto/gen/longshore/network/v1/host.ts';
import { NetworkServiceDefinition } from '../proto/gen/longshore/network/v1/network.ts';
import { SandboxServiceDefinition } from '../proto/gen/longshore/network/v1/sandbox.ts';
import { type Fake, type FakeOptions, type Life, type Opened, startFake } from './fake.ts';
import { openInit } from './init.ts';
import { type Bridge, chooseBridge } from './network/bridge.ts';
import { type HostNetwork, hostService, usualHost } from './network/host-service.ts';
import { networkService } from './network/network-service.ts';
import { createNetworks, type NetworkMemory, noNetworks } from './network/networks.ts';
import { sandboxService } from './network/sandbox-service.ts';
import { createSandboxStore, type SandboxState } from './network/sandboxes.ts';

export type NetworkMethod =
  | keyof (typeof ControlServiceDefinition)['methods']
  | keyof (typeof HostServiceDefinition)['methods']
  | keyof (typeof NetworkServiceDefinition)['methods']
  | keyof (typeof SandboxServiceDefinition)['methods'];

export type FakeNetwork = Fake<NetworkMethod, SandboxState>;

export interface FakeNetworkOptions extends FakeOptions {
  /** What HostService tells; a plain host when left out. */
  host?: Partial<HostNetwork>;
}

/** Networks and sandboxes in memory. Paths of namespaces and files are given out, but nothing is there. */
export function startFakeNetwork(options: FakeNetworkOptions): Promise<FakeNetwork> {
  const host = { ...usualHost, ...options.host };
  return startFake<NetworkMemory, SandboxState, NetworkMethod>(
    { role: 'network', forget: noNetworks, open: (life) => open(life, host) },
    options,
  );
}

function open(life: Life<NetworkMemory>, host: HostNetwork): Opened<SandboxState> {
  const init = openInit(life, InitRequest);
  let bridge: Bridge | undefined = init.policy && chooseBridge(init.policy, host.bridges);
  const networks = createNetworks(life, () => bridge && { bridge, policy: init.needed() });
  const store = createSandboxStore(life, networks, init.needed);
  const control: ControlServiceImplementation = {
    identify: init.identify,
    async init(request) {
      const accepted = init.accept(request);
      const chosen = chooseBridge(request, host.bridges);
      accepted.remember();
      bridge = chosen;
      const userNamespacePath = request.idMaps === undefined ? '' : '/run/userns';
      if (bridge === undefined) return { warnings: [], userNamespacePath };
      const { name, cidr } = bridge;
      return {
        bridge: name,
        bridgeAddress: cidr,
        bridgeIsOurs: request.bridge === '',
        warnings: [],
        userNamespacePath,
      };
    },
    async reconcileSandboxes({ keep }) {
      init.needed();
      const removed = store.removeAllBut(new Set(keep));
      return { removed, missing: keep.filter((id) => !life.durable.sandboxes.has(id)) };
    },
    async drain({ keep }) {
      store.removeAllBut(new Set(keep));
      init.forget();
      bridge = undefined;
      return { problems: [] };
    },
  };
  return {
    services: [
      life.service(ControlServiceDefinition, control, { serving: true }),
      life.service(HostServiceDefinition, hostService(host), { serving: true }),
      life.service(NetworkServiceDefinition, networkService(networks, store, init.needed)),
      life.service(SandboxServiceDefinition, sandboxService(life, store, init.needed)),
    ],
    state: store.state,
    leftovers: () => [...store.leftovers(), ...(bridge === undefined ? [] : [`bridge ${bridge.name}`])],
  };
}
