import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ControlServiceDefinition } from '../../proto/gen/longshore/network/v1/control.ts';
import { HostServiceDefinition } from '../../proto/gen/longshore/network/v1/host.ts';
import { NetworkServiceDefinition } from '../../proto/gen/longshore/network/v1/network.ts';
import { SandboxServiceDefinition } from '../../proto/gen/longshore/network/v1/sandbox.ts';
import type { Controlled } from '../common/control-suite.ts';
import type { Target } from '../common/session.ts';
import { subsystemSuite } from '../common/subsystem-suite.ts';
import { watchSuite } from '../common/watch-suite.ts';
import { refused } from '../common/wire.ts';
import { attached, type Policy } from './current.ts';
import { networkListSuite } from './networks.ts';
import { portSuite } from './ports.ts';
import { sandboxSuite } from './sandboxes.ts';

export interface NetworkTarget extends Target {
  /** The default bridge's address: a /28 that the host does not use. */
  bip?: string;
  bridgeName?: string;
}

/** Proves an implementation of longshore.network.v1. */
export function networkSuite(target: NetworkTarget): void {
  const policy: Policy = {
    bridgeName: target.bridgeName ?? 'lsconf0',
    bip: target.bip ?? '10.213.77.1/28',
    icc: true,
    iptables: true,
    ipForward: true,
    defaultBindingIp: '0.0.0.0',
    mtu: 1500,
  };
  const controlled: Controlled = {
    role: 'network',
    identify: (connection) => connection.client(ControlServiceDefinition).identify({}),
    init: (connection, fence) => connection.client(ControlServiceDefinition).init({ fence, ...policy }),
    drain: (connection) => connection.client(ControlServiceDefinition).drain({}),
    verb: (connection) => Array.fromAsync(connection.client(SandboxServiceDefinition).listSandboxes({})),
    afterInit: ['NetworkService', 'SandboxService'],
    always: ['ControlService', 'HostService'],
  };
  subsystemSuite(target, controlled, (session) => {
    const control = () => session().connection.client(ControlServiceDefinition);
    const reinit = (changes: Policy = {}) => control().init({ fence: session().newFence(), ...policy, ...changes });

    describe('network: opening', () => {
      test('HostService answers before Init', async () => {
        await control().drain({});
        const host = session().connection.client(HostServiceDefinition);
        const { interface: name, mtu } = await host.getDefaultRoute({});
        if (name !== undefined) assert(mtu > 0);
        const { servers, usableServers } = await host.getResolvers({});
        for (const server of [...servers, ...usableServers]) assert.match(server, /^[\d.]+$|:/);
        for (const server of usableServers)
          assert(!server.startsWith('127.'), 'a container cannot reach a loopback address');
        await reinit();
      });

      test('Init makes the default bridge with the address asked for, and says it is ours', async () => {
        const { bridge, bridgeAddress, bridgeIsOurs } = await reinit();
        assert.deepEqual([bridge, bridgeAddress, bridgeIsOurs], [policy.bridgeName, policy.bip, true]);
      });

      test('without an address asked for, one is chosen', async () => {
        await control().drain({});
        const { bridgeAddress } = await reinit({ bip: '' });
        assert.match(bridgeAddress, /^\d+\.\d+\.\d+\.\d+\/\d+$/);
        await control().drain({});
        await reinit();
      });

      test('an address that is none is INVALID_ARGUMENT, BAD_CIDR; a failed Init leaves nothing', async () => {
        await control().drain({});
        for (const bip of ['nonsense', '10.0.0.300/24', '10.213.77.1/33']) {
          await refused(reinit({ bip }), 'INVALID_ARGUMENT', 'BAD_CIDR');
        }
        await refused(controlled.verb(session().connection), 'FAILED_PRECONDITION');
        await reinit();
      });

      test('a bridge that is to be used but is not there is FAILED_PRECONDITION, BRIDGE_NOT_FOUND', async () => {
        await control().drain({});
        const missing = reinit({ bridge: 'no-such-br0', bridgeName: '', bip: '' });
        await refused(missing, 'FAILED_PRECONDITION', 'BRIDGE_NOT_FOUND');
        await reinit();
      });

      test('with networking disabled there is no bridge: NETWORK_DISABLED, and `none` and `host` only', async () => {
        await control().drain({});
        const disabled = await reinit({ disableNetwork: true, bridgeName: '', bip: '' });
        assert.equal(disabled.bridge, '');
        const { connection } = session();
        const networks = await Array.fromAsync(connection.client(NetworkServiceDefinition).listNetworks({}));
        assert.deepEqual(networks.map(({ network }) => network?.name).toSorted(), ['host', 'none']);
        const sandbox = connection.client(SandboxServiceDefinition).createSandbox(attached());
        await refused(sandbox, 'FAILED_PRECONDITION', 'NETWORK_DISABLED');
        await control().drain({});
        await reinit();
      });
    });

    const current = () => ({
      control: control(),
      networks: session().connection.client(NetworkServiceDefinition),
      sandboxes: session().connection.client(SandboxServiceDefinition),
      session: session(),
      reinit,
    });
    networkListSuite(current);
    sandboxSuite(target, current);
    portSuite(current);

    watchSuite(target, {
      role: 'network',
      watch: (request, options) => current().networks.watchNetworks(request, options),
      word: ({ action, networkId }) => `${action} ${networkId}`,
      async happen() {
        const { networks, sandboxes } = current();
        const { network } = await networks.getNetwork({ network: 'bridge' });
        const request = attached();
        await sandboxes.createSandbox(request);
        await sandboxes.removeSandbox({ id: request.id });
        return ['connect', 'disconnect'].map((action) => `${action} ${network?.id}`);
      },
    });
  });
}
