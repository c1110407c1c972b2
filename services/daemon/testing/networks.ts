import { type HostEntry, Sandbox, SandboxMode } from '../../../proto/gen/longshore/network/v1/sandbox.ts';
import type { Clients } from '../daemon.ts';
import { absent, done, type MakeCall, signalOf } from './calls.ts';
import { refusal, type World } from './world.ts';

export function networkClients(world: World, call: MakeCall): Clients['network'] {
  return { networks: networks(world), ...sandboxes(world, call) };
}

function networks(world: World): Clients['network']['networks'] {
  return {
    async *watchNetworks({ after }, options) {
      const latest = world.networkEvents.cursor;
      yield { cursor: 0, latest, action: '', networkId: '', attributes: {}, timeNs: 0n };
      for await (const { cursor, event } of world.networkEvents.watch(after || latest, signalOf(options))) {
        const attributes = { container: event.container, name: 'bridge', type: 'bridge' };
        yield { cursor, latest: cursor, action: event.action, networkId: 'n'.repeat(64), attributes, timeNs: 1n };
      }
    },
  };
}

function sandboxes(world: World, call: MakeCall): Pick<Clients['network'], 'sandboxes' | 'control'> {
  interface Create {
    id: string;
    mode: SandboxMode;
    endpoints: { network: string }[];
    ports: { protocol: string; containerPort: number; hostIp: string; hostPort: number }[];
    extraHosts: HostEntry[];
  }
  return {
    sandboxes: {
      createSandbox: call('network.createSandbox', ({ id, mode, endpoints, ports, extraHosts }: Create) => {
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
        world.extraHosts.set(id, extraHosts);
        world.networkEvents.append({ action: 'connect', container: id });
        return { ...done, sandbox };
      }),
      updateSandbox: call('network.updateSandbox', ({ id, extraHosts }: Pick<Create, 'id' | 'extraHosts'>) => {
        if (!world.sandboxes.has(id)) return absent;
        world.extraHosts.set(id, extraHosts);
        return done;
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
