import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Network } from '../proto/gen/longshore/network/v1/network.ts';
import { docker } from './testing/docker.ts';
import { startEngine } from './testing/engine.ts';
import { ask, askJson } from './testing/http.ts';

const bridge = Network.fromPartial({
  id: 'b'.repeat(64),
  name: 'bridge',
  driver: 'bridge',
  scope: 'local',
  ipv4Subnet: '172.17.0.0/16',
  ipv4Gateway: '172.17.0.1',
  options: { 'com.docker.network.bridge.name': 'docker0' },
  createdAtNs: 1_700_000_000_000_000_000n,
  attachments: [
    {
      sandboxId: 'c'.repeat(64),
      containerName: 'web',
      endpointId: 'e1',
      macAddress: '02:42:ac:11:00:02',
      ipv4Address: '172.17.0.2/16',
    },
  ],
});
const mine = Network.fromPartial({ id: 'd'.repeat(64), name: 'mine', driver: 'bridge', scope: 'local' });

test('networks are listed and shown, with who is attached only when one is shown', async (t) => {
  const { socket } = await startEngine(t, {
    networks: {
      async *listNetworks() {
        yield { network: bridge };
        yield { network: mine };
      },
      getNetwork: async () => ({ network: bridge }),
    },
  });
  const { value: listed } = await askJson(socket, 'GET /networks');
  assert.deepEqual(
    listed.map((each: { Name: string; Containers: object }) => [each.Name, each.Containers]),
    [
      ['bridge', {}],
      ['mine', {}],
    ],
  );
  const { value: shown } = await askJson(socket, 'GET /networks/bridge');
  assert.deepEqual(shown.IPAM, {
    Driver: 'default',
    Options: null,
    Config: [{ Subnet: '172.17.0.0/16', Gateway: '172.17.0.1' }],
  });
  assert.deepEqual(shown.Containers['c'.repeat(64)], {
    Name: 'web',
    EndpointID: 'e1',
    MacAddress: '02:42:ac:11:00:02',
    IPv4Address: '172.17.0.2/16',
    IPv6Address: '',
  });
  const names = async (filters: object) => {
    const { value } = await askJson(socket, `GET /networks?filters=${encodeURIComponent(JSON.stringify(filters))}`);
    return value.map((each: { Name: string }) => each.Name);
  };
  assert.deepEqual(await names({ type: ['custom'] }), ['mine']);
  assert.deepEqual(await names({ dangling: ['true'] }), ['mine']);
  assert.deepEqual(await names({ dangling: ['false'] }), ['bridge']);
  assert.deepEqual(await names({ scope: ['swarm'] }), []);
  assert.equal((await ask(socket, 'POST /networks/create', { Name: 'x' })).status, 501);
  const rows = await docker(socket, ['network', 'ls', '--format', '{{.Name}} {{.Driver}} {{.Scope}}']);
  assert.equal(rows.stdout, 'bridge bridge local\nmine bridge local\n', rows.stderr);
});
