import type { Control } from '../../kit/control.ts';
import { programVersion } from '../../kit/flags.ts';
import type { ServiceConfig } from '../../kit/service.ts';
import type { Sequence } from '../../kit/watch.ts';
import type { ControlServiceImplementation } from '../../proto/gen/longshore/network/v1/control.ts';
import type { HostServiceImplementation } from '../../proto/gen/longshore/network/v1/host.ts';
import type { NetworkServiceImplementation } from '../../proto/gen/longshore/network/v1/network.ts';
import type { SandboxServiceImplementation } from '../../proto/gen/longshore/network/v1/sandbox.ts';
import { formatCidr } from './cidr.ts';
import type { NetworkControl } from './control.ts';
import { attachedOf } from './engine.ts';
import { describeDefaultRoute, describeResolvers } from './host.ts';
import type { Kernel } from './kernel.ts';
import type { NetworkEvent } from './network-events.ts';
import { attachmentsOf, describeNetwork, matches, type NetworkRecord, type Networks } from './networks.ts';
import type { ResolvConfPaths } from './resolvers.ts';
import type { Sandboxes } from './sandboxes.ts';

export function controlService(parts: {
  config: ServiceConfig;
  control: Control;
  networkControl: NetworkControl;
  userNamespacePath: string;
}): ControlServiceImplementation {
  const { config, control, networkControl, userNamespacePath } = parts;
  return {
    async identify() {
      const { dataRoot, execRoot } = config;
      return { identity: { version: programVersion(), pid: process.pid, dataRoot, execRoot, ...control.fence() } };
    },
    async init(request) {
      const { engine, warnings } = await networkControl.init(request);
      const { bridge } = engine;
      const mapped = { userNamespacePath: engine.policy.idMaps === undefined ? '' : userNamespacePath };
      if (bridge === undefined) return { warnings, ...mapped };
      const { name, gateway, isOurs } = bridge;
      return { bridge: name, bridgeAddress: formatCidr(gateway), bridgeIsOurs: isOurs, warnings, ...mapped };
    },
    reconcileSandboxes: ({ keep }) => networkControl.reconcile(keep),
    drain: async ({ keep }) => ({ problems: await networkControl.drain(keep) }),
  };
}

export function hostService(kernel: Kernel, resolvConf: ResolvConfPaths): HostServiceImplementation {
  return {
    getDefaultRoute: async () => describeDefaultRoute(kernel),
    getResolvers: async () => describeResolvers(resolvConf),
  };
}

export function networkService(parts: {
  networks: Networks;
  networkControl: NetworkControl;
  sandboxes: Sandboxes;
  events: Sequence<NetworkEvent>;
}): NetworkServiceImplementation {
  const { networks, sandboxes, events } = parts;
  const attached = () => attachedOf(parts.networkControl.needEngine());
  const describe = (network: NetworkRecord) => ({
    ...network,
    ...describeNetwork(network, attached()),
    scope: 'local',
    attachments: attachmentsOf(network, sandboxes.all()),
  });
  return {
    getNetwork: async ({ network }) => ({ network: describe(networks.find(network, attached() !== undefined)) }),
    async *listNetworks(request) {
      for (const network of networks.all(attached() !== undefined)) {
        if (matches(network, request)) yield { network: describe(network) };
      }
    },
    async *watchNetworks({ after }, { signal }) {
      parts.networkControl.needEngine();
      const from = after === 0 ? events.cursor : after;
      const changes = events.watch(from, signal);
      yield { cursor: 0, latest: events.cursor };
      for await (const { cursor, event } of changes) yield { ...event, cursor, latest: events.cursor };
    },
  };
}

export function sandboxService(
  sandboxes: Sandboxes,
  { needEngine }: Pick<NetworkControl, 'needEngine'>,
): SandboxServiceImplementation {
  return {
    createSandbox: sandboxes.create,
    updateSandbox: sandboxes.update,
    removeSandbox: sandboxes.remove,
    async getSandbox({ id }) {
      needEngine();
      return { sandbox: sandboxes.get(id) };
    },
    async *listSandboxes() {
      needEngine();
      for (const { sandbox } of sandboxes.all()) yield { sandbox };
    },
  };
}
