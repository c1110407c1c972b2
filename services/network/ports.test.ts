import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { isServiceError } from '../../kit/errors.ts';
import { createPortTable, parsePortSet, type WantedPort } from './port-table.ts';
import type { PublishedPort } from './published-port.ts';

const range = () => ({ first: 40_000, last: 40_003, reserved: new Set([40_001]) });
const wish = (firstHostPort: number, more: Partial<WantedPort> = {}): WantedPort => ({
  protocol: 'tcp',
  containerPort: 80,
  hostIps: [{ hostIp: '0.0.0.0', isOptional: false }],
  firstHostPort,
  lastHostPort: firstHostPort,
  ...more,
});
const refusing = (code: string) => Object.assign(new Error(code), { code });
const address = () => '10.0.0.2';

/** A host where these ports are in use by other programs. */
function tableOn(inUse: readonly number[] = []) {
  const held = new Set<string>();
  const table = createPortTable(range, async ({ hostIp, hostPort, protocol }) => {
    await new Promise((resolve) => setImmediate(resolve));
    if (inUse.includes(hostPort)) throw refusing('EADDRINUSE');
    if (hostIp === '192.0.2.99') throw refusing('EADDRNOTAVAIL');
    if (hostIp === '::') throw refusing('EAFNOSUPPORT');
    const key = `${hostIp}:${hostPort}/${protocol}`;
    held.add(key);
    return { release: () => held.delete(key) };
  });
  const take = async (owner: string, ...wanted: WantedPort[]) =>
    (await table.take(owner, owner, wanted, address)).map((port: PublishedPort) => port.hostPort);
  return { table, take, held };
}

const withReason = (reason: string) => (error: unknown) => isServiceError(error, reason);

suite('published ports', () => {
  test('automatic ones go round the range, past reserved ports and those of other programs', async () => {
    const { take, table } = tableOn([40_002]);
    assert.deepEqual(await take('a', wish(0)), [40_000]);
    assert.deepEqual(await take('b', wish(0)), [40_003]);
    table.release('a');
    assert.deepEqual(await take('c', wish(0)), [40_000]);
    await assert.rejects(take('d', wish(0)), withReason('NO_PORT_LEFT'));
  });

  test('at once, nobody gets what another is just binding', async () => {
    const { take } = tableOn();
    const given = await Promise.all(['a', 'b', 'c'].map((owner) => take(owner, wish(0))));
    assert.deepEqual(given.flat().sort(), [40_000, 40_002, 40_003]);
  });

  test('a fixed port is not given to an automatic one of the same container', async () => {
    const { take } = tableOn();
    assert.deepEqual(await take('a', wish(0), wish(40_000)), [40_002, 40_000]);
  });

  test('of a range the first free one is taken', async () => {
    const { take } = tableOn([8001]);
    const ranged = wish(8001, { lastHostPort: 8003 });
    assert.deepEqual(await take('a', ranged), [8002]);
    assert.deepEqual(await take('b', ranged), [8003]);
    await assert.rejects(take('c', ranged), withReason('NO_PORT_LEFT'));
  });

  test('one address and all addresses exclude each other, two addresses and two protocols do not', async () => {
    const { take } = tableOn();
    const at = (hostIp: string, protocol: 'tcp' | 'udp' = 'tcp') =>
      wish(80, { hostIps: [{ hostIp, isOptional: false }], protocol });
    await take('a', at('127.0.0.1'));
    await take('b', at('192.0.2.1'));
    await take('c', at('127.0.0.1', 'udp'));
    await assert.rejects(take('d', at('0.0.0.0')), withReason('PORT_TAKEN'));
  });

  test('a container that fails at one port holds none', async () => {
    const { take, held } = tableOn([81]);
    await assert.rejects(take('a', wish(80), wish(81)), withReason('PORT_TAKEN'));
    assert.deepEqual([...held], []);
    assert.deepEqual(await take('b', wish(80)), [80]);
  });

  test('IPv6 is left out where the host has none, unless it is asked for', async () => {
    const { take } = tableOn();
    const both = [
      { hostIp: '0.0.0.0', isOptional: false },
      { hostIp: '::', isOptional: true },
    ];
    assert.deepEqual(await take('a', wish(80, { hostIps: both })), [80]);
    const only = [{ hostIp: '::', isOptional: false }];
    await assert.rejects(take('b', wish(81, { hostIps: only })), withReason('HOST_ADDRESS_UNKNOWN'));
    const strange = [{ hostIp: '192.0.2.99', isOptional: false }];
    await assert.rejects(take('b', wish(82, { hostIps: strange })), withReason('HOST_ADDRESS_UNKNOWN'));
  });

  test('after a restart ports are taken, also those that cannot be bound again', async () => {
    const { table, take } = tableOn([81]);
    const port = (hostPort: number) => ({ protocol: 'tcp', containerPort: 80, hostIp: '0.0.0.0', hostPort }) as const;
    const lost = await table.adopt('a', 'a', [port(80), port(81)], '10.0.0.2');
    assert.deepEqual(
      lost.map(({ hostPort }) => hostPort),
      [81],
    );
    await assert.rejects(take('b', wish(80)), withReason('PORT_TAKEN'));
    await assert.rejects(take('b', wish(81)), withReason('PORT_TAKEN'));
  });

  test('the administrator’s reserved ports are read', () => {
    assert.deepEqual([...parsePortSet('8080,9000-9002')], [8080, 9000, 9001, 9002]);
    assert.deepEqual([...parsePortSet('')], []);
  });
});
