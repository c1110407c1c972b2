import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { SandboxMode } from '../../proto/gen/longshore/network/v1/sandbox.ts';
import { newId } from '../common/session.ts';
import { refused } from '../common/wire.ts';
import { attached, type Current } from './current.ts';

/** What networks there are, and who is in them. */
export function networkListSuite(current: Current): void {
  const get = async (name: string) => {
    const { network } = await current().networks.getNetwork({ network: name });
    assert(network);
    return network;
  };

  describe('network: networks', () => {
    test('bridge, host and none are always there', async () => {
      const listed = await Array.fromAsync(current().networks.listNetworks({}));
      const found = Object.fromEntries(listed.map(({ network }) => [network?.name, network?.driver]));
      assert.deepEqual(found, { bridge: 'bridge', host: 'host', none: 'null' });
    });

    test('a network is found by name, id or an unambiguous beginning of its id', async () => {
      const { id } = await get('bridge');
      assert.match(id, /^[0-9a-f]{64}$/);
      for (const name of [id, id.slice(0, 16)]) assert.equal((await get(name)).id, id);
    });

    test('what names no network is NOT_FOUND, NETWORK_NOT_FOUND', async () => {
      for (const network of ['no-such-network', newId(), '']) {
        await refused(current().networks.getNetwork({ network }), 'NOT_FOUND', 'NETWORK_NOT_FOUND');
      }
    });

    test('the bridge network tells its subnet, gateway and interface, and its options under Docker’s names', async () => {
      const { ipv4Subnet, ipv4Gateway, bridgeInterface, options, scope } = await get('bridge');
      assert.match(ipv4Subnet, /\.\d+\/28$/);
      assert.match(ipv4Gateway, /^\d+\.\d+\.\d+\.\d+$/);
      assert.notEqual(bridgeInterface, '');
      assert.equal(options['com.docker.network.bridge.enable_icc'], 'true');
      assert.equal(scope, 'local');
      const host = await get('host');
      assert.deepEqual([host.ipv4Subnet, host.ipv4Gateway], ['', '']);
    });

    test('ListNetworks filters by parts of names, beginnings of ids and drivers', async () => {
      const names = async (request: Parameters<ReturnType<Current>['networks']['listNetworks']>[0]) => {
        const listed = await Array.fromAsync(current().networks.listNetworks(request));
        return listed.map(({ network }) => network?.name).toSorted();
      };
      assert.deepEqual(await names({ names: ['ridg', 'hos'] }), ['bridge', 'host']);
      assert.deepEqual(await names({ drivers: ['null'] }), ['none']);
      assert.deepEqual(await names({ ids: [(await get('host')).id.slice(0, 20)] }), ['host']);
      assert.deepEqual(await names({ labels: { no: 'such' } }), []);
      assert.deepEqual(await names({ names: ['bridge'], drivers: ['host'] }), []);
    });

    test('a network tells who is attached to it', async () => {
      const { sandboxes } = current();
      const request = attached();
      const { sandbox } = await sandboxes.createSandbox(request);
      const [endpoint] = sandbox?.endpoints ?? [];
      const [attachment] = (await get('bridge')).attachments;
      assert.deepEqual(attachment, {
        sandboxId: request.id,
        containerName: request.containerName.slice(1),
        endpointId: endpoint?.id,
        macAddress: endpoint?.macAddress,
        ipv4Address: `${endpoint?.ipv4Address}/28`,
      });
      await sandboxes.removeSandbox({ id: request.id });
      assert.deepEqual((await get('bridge')).attachments, []);
    });

    test('sandboxes of mode HOST and NONE are attached to nothing of their own', async () => {
      const { sandboxes } = current();
      for (const mode of [SandboxMode.SANDBOX_MODE_HOST, SandboxMode.SANDBOX_MODE_NONE]) {
        const id = newId();
        const { sandbox } = await sandboxes.createSandbox({ id, mode });
        assert.deepEqual(sandbox?.endpoints, []);
        assert.equal(sandbox?.namespacePath === '', mode === SandboxMode.SANDBOX_MODE_HOST);
        await sandboxes.removeSandbox({ id });
      }
    });
  });
}
