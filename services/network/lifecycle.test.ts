import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { suite, test } from 'node:test';
import { isServiceError } from '../../kit/errors.ts';
import { Outcome } from '../../proto/gen/longshore/contract/v1/outcome.ts';
import { type CreateSandboxRequest, SandboxMode } from '../../proto/gen/longshore/network/v1/sandbox.ts';
import {
  bridgeName,
  engineHost,
  engineId,
  hostAddress,
  initialisedHost,
  needsRoot,
  outsideAddress,
  sandboxId,
} from './engine-host.fixture.ts';

const withReason = (reason: string, message?: RegExp) => (error: unknown) =>
  isServiceError(error, reason) && (message === undefined || message.test(error.message));

const nothing = { links: [], rules: [], namespaces: [] };

const onBridge = (n: number, more: Partial<CreateSandboxRequest> = {}) => ({
  id: sandboxId(n),
  mode: SandboxMode.SANDBOX_MODE_ENDPOINTS,
  endpoints: [{ network: 'bridge' }],
  ...more,
});

const tcpPort = (hostPort: number, hostIp = '') => ({
  protocol: 'tcp',
  containerPort: 80,
  hostPort,
  hostIp,
  hostPortEnd: 0,
});

suite('the life of the default bridge', { skip: needsRoot }, () => {
  test('Init makes it at docker’s address; Drain with nothing kept leaves nothing', async () => {
    await using host = await engineHost();
    await host.start();
    const answer = await host.init();
    assert.deepEqual(answer, {
      bridge: bridgeName,
      bridgeAddress: '172.17.0.1/16',
      bridgeIsOurs: true,
      warnings: [],
      userNamespacePath: '',
    });
    assert.equal(host.run(host.hostPath, 'cat', '/proc/sys/net/ipv4/ip_forward').trim(), '1');
    await host.web(1, [{ hostPort: 8080 }]);
    assert.deepEqual(await host.control.drain({}), { problems: [] });
    assert.deepEqual(host.remains(), nothing);
    assert.deepEqual(readdirSync(host.files), []);
    await assert.rejects(host.sandboxes.createSandbox(onBridge(2)), withReason('NOT_INITIALISED'));
    await assert.rejects(host.sandboxes.removeSandbox({ id: sandboxId(1) }), withReason('NOT_INITIALISED'));
    await assert.rejects(host.sandboxes.getSandbox({ id: sandboxId(1) }), withReason('NOT_INITIALISED'));
    await assert.rejects(Array.fromAsync(host.sandboxes.listSandboxes({})), withReason('NOT_INITIALISED'));
  });

  test('while Drain is at work no sandbox is made, and none that was begun stays', async () => {
    await using host = await initialisedHost();
    const begun = [1, 2, 3].map((n) => host.sandboxes.createSandbox(onBridge(n, { ports: [tcpPort(0)] })));
    const ended = Promise.allSettled(begun);
    assert.deepEqual(await host.control.drain({}), { problems: [] });
    await ended;
    assert.deepEqual(host.remains(), nothing);
    assert.deepEqual(readdirSync(host.files), []);
  });

  test('its address avoids the routes and resolvers of the host', async () => {
    await using host = await engineHost();
    host.run(host.hostPath, 'ip', 'route', 'add', '172.17.3.0/24', 'via', outsideAddress);
    await host.start();
    assert.equal((await host.init()).bridgeAddress, '172.18.0.1/16');
  });

  test('an interface of that name that is not ours is left alone', async () => {
    await using host = await engineHost();
    host.run(host.hostPath, 'ip', 'link', 'add', bridgeName, 'type', 'bridge');
    await host.start();
    await assert.rejects(
      host.init(),
      withReason('BRIDGE_FOREIGN', /belongs to somebody else: remove it, use it with --bridge/),
    );
    assert.equal(
      host.inHost((each) => each.addresses()).some((each) => each.address.startsWith('172.')),
      false,
    );
    host.run(host.hostPath, 'ip', 'link', 'del', bridgeName);
    assert.equal((await host.init()).bridge, bridgeName);
  });

  test('a bridge of the user’s is used as it is, and stays', async () => {
    await using host = await engineHost();
    await host.start();
    await assert.rejects(host.init({ bridge: 'mine' }), withReason('BRIDGE_NOT_FOUND', /no such network interface/));
    host.run(host.hostPath, 'ip', 'link', 'add', 'mine', 'type', 'bridge');
    await assert.rejects(host.init({ bridge: 'mine' }), withReason('BRIDGE_NOT_FOUND', /has no IPv4 addresses/));
    host.run(host.hostPath, 'ip', 'address', 'add', '10.88.0.1/24', 'dev', 'mine');
    host.run(host.hostPath, 'ip', 'link', 'set', 'mine', 'up');
    const answer = await host.init({ bridge: 'mine' });
    assert.equal(answer.bridgeIsOurs, false);
    assert.equal(answer.bridgeAddress, '10.88.0.1/24');
    const web = await host.web(1, [{ hostPort: 8080 }]);
    assert.equal(web.address, '10.88.0.2');
    assert.match(await host.actor(host.outsidePath).ask('tcp', hostAddress, 8080), /^web1 /);
    await host.control.drain({});
    assert.deepEqual(host.remains(), nothing);
    assert.match(host.run(host.hostPath, 'ip', 'address', 'show', 'mine'), /10\.88\.0\.1/);
    assert.equal(host.run(host.hostPath, 'cat', '/proc/sys/net/ipv4/conf/mine/route_localnet').trim(), '0');
  });

  test('a wrong bip fails and leaves nothing; another one moves an unused bridge, not a used one', async () => {
    await using host = await engineHost();
    await host.start();
    for (const bip of ['10.9.0.0/24', '10.9.0.1', '10.9.0.255/24', 'x/24']) {
      await assert.rejects(host.init({ bip }), withReason('BAD_CIDR'));
    }
    assert.deepEqual(host.remains(), nothing);
    assert.equal((await host.init({ bip: '10.9.0.1/24' })).bridgeAddress, '10.9.0.1/24');
    assert.equal((await host.init({ bip: '10.10.0.1/24' })).bridgeAddress, '10.10.0.1/24');
    await host.sandboxes.createSandbox(onBridge(1));
    await assert.rejects(
      host.init({ bip: '10.9.0.1/24' }),
      withReason(
        'BRIDGE_MISMATCH',
        /^bridge ip \(10\.9\.0\.1\/24\) does not match existing bridge configuration 10\.10\.0\.1\/24$/,
      ),
    );
    const { sandbox } = await host.sandboxes.getSandbox({ id: sandboxId(1) });
    assert.equal(sandbox?.endpoints[0]?.ipv4Address, '10.10.0.2');
  });

  test('with networking disabled there are none and host', async () => {
    await using host = await engineHost();
    await host.start();
    assert.equal((await host.init({ disableNetwork: true })).bridge, '');
    assert.deepEqual(host.remains(), nothing);
    await assert.rejects(host.sandboxes.createSandbox(onBridge(1)), withReason('NETWORK_DISABLED'));
    const names: (string | undefined)[] = [];
    for await (const { network } of host.networks.listNetworks({})) names.push(network?.name);
    assert.deepEqual(names, ['host', 'none']);
  });
});

suite('the life of a sandbox', { skip: needsRoot }, () => {
  test('ping and low ports need no capability in its namespace, and the host keeps its own rules', async () => {
    await using host = await initialisedHost();
    const rules = (path: string) =>
      ['ping_group_range', 'ip_unprivileged_port_start'].map((name) =>
        host.run(path, 'cat', `/proc/sys/net/ipv4/${name}`).trim(),
      );
    const before = rules(host.hostPath);
    const modes = [
      onBridge(1),
      { id: sandboxId(2), mode: SandboxMode.SANDBOX_MODE_NONE },
      { id: sandboxId(3), mode: SandboxMode.SANDBOX_MODE_HOST },
    ];
    for (const request of modes) {
      const { sandbox } = await host.sandboxes.createSandbox(request);
      const path = sandbox?.namespacePath ?? '';
      if (path !== '') assert.deepEqual(rules(path), ['0\t2147483647', '0']);
    }
    assert.deepEqual(rules(host.hostPath), before);
  });

  test('what is repeated gives the same; other content under its id is refused', async () => {
    await using host = await initialisedHost();
    const first = await host.sandboxes.createSandbox(onBridge(1, { hostname: 'web' }));
    const again = await host.sandboxes.createSandbox(onBridge(1, { hostname: 'web' }));
    assert.equal(again.outcome, Outcome.OUTCOME_ALREADY);
    assert.deepEqual(again.sandbox, first.sandbox);
    await assert.rejects(host.sandboxes.createSandbox(onBridge(1)), withReason('SANDBOX_EXISTS'));
    assert.deepEqual(await host.sandboxes.removeSandbox({ id: sandboxId(1) }), { outcome: Outcome.OUTCOME_DONE });
    assert.deepEqual(await host.sandboxes.removeSandbox({ id: sandboxId(1) }), { outcome: Outcome.OUTCOME_ABSENT });
    await assert.rejects(host.sandboxes.getSandbox({ id: sandboxId(1) }), withReason('SANDBOX_NOT_FOUND'));
  });

  test('its files say who it is, whom it asks for names, and what the caller adds', async () => {
    await using host = await initialisedHost({ dnsSearch: ['example.test'] });
    const { sandbox } = await host.sandboxes.createSandbox(
      onBridge(1, {
        hostname: 'web',
        domainname: 'corp.test',
        dnsServers: ['192.0.2.7'],
        dnsOptions: ['ndots:2'],
        extraHosts: [
          { address: 'host-gateway', names: ['host.docker.internal'] },
          { address: '192.0.2.9', names: ['db'] },
        ],
      }),
    );
    assert.equal(
      readFileSync(sandbox?.resolvConfPath ?? '', 'utf8'),
      'nameserver 192.0.2.7\nsearch example.test\noptions ndots:2\n',
    );
    const hosts = readFileSync(sandbox?.hostsPath ?? '', 'utf8');
    assert.match(hosts, /^127\.0\.0\.1\tlocalhost\n/);
    assert.match(
      hosts,
      /\n172\.17\.0\.1\thost\.docker\.internal\n192\.0\.2\.9\tdb\n172\.17\.0\.2\tweb\.corp\.test web\n$/,
    );
    assert.equal(readFileSync(sandbox?.hostnamePath ?? '', 'utf8'), 'web\n');
  });

  test('addresses are given in turn, asked for by name, and not twice', async () => {
    await using host = await initialisedHost();
    const addressOf = async (n: number, ipv4Address = '') => {
      const endpoints = [{ network: 'bridge', aliases: [], ipv4Address, macAddress: '' }];
      const { sandbox } = await host.sandboxes.createSandbox(onBridge(n, { endpoints }));
      return sandbox?.endpoints[0]?.ipv4Address;
    };
    assert.equal(await addressOf(1), '172.17.0.2');
    assert.equal(await addressOf(2, '172.17.0.3'), '172.17.0.3');
    await host.sandboxes.removeSandbox({ id: sandboxId(1) });
    assert.equal(await addressOf(3), '172.17.0.4', 'neither the one just released nor one in use');
    await assert.rejects(addressOf(4, '172.17.0.3'), withReason('ADDRESS_TAKEN'));
    await assert.rejects(addressOf(4, '172.17.0.1'), withReason('ADDRESS_OUTSIDE'));
    await assert.rejects(addressOf(4, '10.1.1.1'), withReason('ADDRESS_OUTSIDE'));
  });

  test('a port has one owner: ours is named, a stranger’s is noticed, and nothing is left of the loser', async () => {
    await using host = await initialisedHost();
    await host.sandboxes.createSandbox(onBridge(1, { ports: [tcpPort(8080)], containerName: '/first' }));
    await assert.rejects(
      host.sandboxes.createSandbox(onBridge(2, { ports: [tcpPort(8081), tcpPort(8080, '127.0.0.1')] })),
      (error: unknown) =>
        isServiceError(error, 'PORT_TAKEN') &&
        error.message === 'Bind for 127.0.0.1:8080 failed: port is already allocated' &&
        error.metadata.holder === 'first',
    );
    await host.actor(host.hostPath).serve('tcp', 8082);
    await assert.rejects(
      host.sandboxes.createSandbox(onBridge(2, { ports: [tcpPort(8082)] })),
      withReason(
        'PORT_TAKEN',
        /^failed to bind host port for 0\.0\.0\.0:8082:172\.17\.0\.\d+:80\/tcp: address already in use$/,
      ),
    );
    assert.equal(host.remains().namespaces.length, 1);
    await host.sandboxes.createSandbox(onBridge(2, { ports: [tcpPort(8081)] }));
    await host.sandboxes.removeSandbox({ id: sandboxId(1) });
    await host.sandboxes.createSandbox(onBridge(3, { ports: [tcpPort(8080)] }));
  });

  test('a port of any number is one of the ephemeral range that is free', async () => {
    await using host = await initialisedHost();
    host.run(host.hostPath, 'sysctl', '-q', '-w', 'net.ipv4.ip_local_port_range=40000 40003');
    await host.actor(host.hostPath).serve('tcp', 40001);
    const given: (number | undefined)[] = [];
    for (const n of [1, 2, 3]) {
      const { sandbox } = await host.sandboxes.createSandbox(onBridge(n, { ports: [tcpPort(0)] }));
      given.push(sandbox?.ports[0]?.hostPort);
    }
    assert.deepEqual(given, [40000, 40002, 40003]);
    await assert.rejects(
      host.sandboxes.createSandbox(onBridge(4, { ports: [tcpPort(0)] })),
      withReason('NO_PORT_LEFT'),
    );
  });

  test('twenty at once get what is theirs', async () => {
    await using host = await initialisedHost();
    const made = await Promise.all(
      Array.from({ length: 20 }, (_, n) => host.sandboxes.createSandbox(onBridge(n + 1, { ports: [tcpPort(0)] }))),
    );
    const endpoints = made.map(({ sandbox }) => sandbox?.endpoints[0]);
    assert.equal(new Set(endpoints.map((each) => each?.ipv4Address)).size, 20);
    assert.equal(new Set(made.map(({ sandbox }) => sandbox?.ports[0]?.hostPort)).size, 20);
    await Promise.all(made.map(({ sandbox }) => host.sandboxes.removeSandbox({ id: sandbox?.id ?? '' })));
    assert.deepEqual(host.remains().namespaces, []);
  });

  test('connects and disconnects are told, with the network and the container', async () => {
    await using host = await initialisedHost();
    const { network } = await host.networks.getNetwork({ network: 'bridge' });
    const cancel = new AbortController();
    const watch = host.networks.watchNetworks({}, { signal: cancel.signal })[Symbol.asyncIterator]();
    await watch.next();
    await host.sandboxes.createSandbox(onBridge(1));
    await host.sandboxes.removeSandbox({ id: sandboxId(1) });
    for (const action of ['connect', 'disconnect']) {
      const { value } = await watch.next();
      assert.equal(value?.action, action);
      assert.equal(value?.networkId, network?.id);
      assert.equal(value?.attributes.container, sandboxId(1));
    }
    cancel.abort();
  });

  test('a request that cannot be meant is refused with its field', async () => {
    await using host = await initialisedHost();
    const refused = (more: Partial<CreateSandboxRequest>, field: string) =>
      assert.rejects(
        host.sandboxes.createSandbox(onBridge(1, more)),
        (error: unknown) => isServiceError(error, 'BAD_REQUEST') && error.metadata.field === field,
      );
    await refused({ id: '../../etc' }, 'id');
    await refused({ hostname: 'a\n127.0.0.1 evil' }, 'hostname');
    await refused({ dnsServers: ['8.8.8.8\nsearch evil'] }, 'dns_servers');
    await refused({ extraHosts: [{ address: '1.2.3.4', names: ['a b'] }] }, 'extra_hosts');
    await refused({ ports: [{ ...tcpPort(80), protocol: 'sctp' }] }, 'ports[0].protocol');
    await refused({ ports: [{ ...tcpPort(80), hostPort: 70_000 }] }, 'ports[0].host_port');
  });

  test('who is in a network is seen there', async () => {
    await using host = await initialisedHost();
    await host.sandboxes.createSandbox(onBridge(1, { containerName: '/web' }));
    const { network } = await host.networks.getNetwork({ network: 'bridge' });
    assert.equal(network?.ipv4Subnet, '172.17.0.0/16');
    assert.equal(network?.bridgeInterface, bridgeName);
    assert.deepEqual(
      network?.attachments.map(({ sandboxId: id, containerName, ipv4Address }) => [id, containerName, ipv4Address]),
      [[sandboxId(1), 'web', '172.17.0.2/16']],
    );
    const byPrefix = await host.networks.getNetwork({ network: network?.id.slice(0, 12) ?? '' });
    assert.equal(byPrefix.network?.name, 'bridge');
    await assert.rejects(host.networks.getNetwork({ network: 'nope' }), withReason('NETWORK_NOT_FOUND'));
  });

  test('the host’s own network is asked for before Init', async () => {
    await using host = await engineHost();
    host.run(host.hostPath, 'ip', 'route', 'add', 'default', 'via', outsideAddress);
    await host.start();
    const route = await host.hostService.getDefaultRoute({});
    assert.deepEqual(route, { interface: 'wan0', mtu: 1500, gateway: outsideAddress });
    const { identity } = await host.control.identify({});
    assert.equal(identity?.engineId, '');
    await host.init();
    assert.equal((await host.control.identify({})).identity?.engineId, engineId);
    assert.equal(existsSync(host.netns), true);
  });
});
