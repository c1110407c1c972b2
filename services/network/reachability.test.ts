import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { SandboxMode } from '../../proto/gen/longshore/network/v1/sandbox.ts';
import {
  bridgeName,
  type EngineHost,
  engineId,
  hostAddress,
  initialisedHost,
  needsRoot,
  outsideAddress,
  sandboxId,
} from './engine-host.fixture.ts';
import { tableName } from './firewall.ts';

/** What a hostile neighbour does: packets to 127.0.0.1 go out by the wire instead of to itself. */
function sendLoopbackBy(host: EngineHost, path: string, gateway: string): void {
  host.run(path, 'sysctl', '-q', '-w', 'net.ipv4.conf.all.route_localnet=1');
  host.run(path, 'ip', 'route', 'add', '127.0.0.1/32', 'via', gateway, 'dev', 'eth0', 'table', '100');
  host.run(path, 'ip', 'rule', 'add', 'to', '127.0.0.1', 'lookup', '100', 'pref', '10');
  host.run(path, 'ip', 'rule', 'add', 'lookup', 'local', 'pref', '20');
  host.run(path, 'ip', 'rule', 'del', 'pref', '0');
}

suite('who reaches whom', { skip: needsRoot }, () => {
  test('a published port is reached from outside, from the host, from localhost and from containers', async () => {
    await using host = await initialisedHost();
    const web = await host.web(1, [{ hostPort: 8080 }]);
    const other = await host.web(2);
    const outside = host.actor(host.outsidePath);
    const local = host.actor(host.hostPath);

    assert.equal(await outside.ask('tcp', hostAddress, 8080), `web1 ${outsideAddress}`, 'the source is seen');
    assert.match(await local.ask('tcp', hostAddress, 8080), /^web1 /);
    assert.equal(await local.ask('tcp', '127.0.0.1', 8080), 'web1 172.17.0.1');
    assert.match(await local.ask('tcp', '::1', 8080), /^web1 /);
    assert.match(await other.actor.ask('tcp', hostAddress, 8080), /^web1 /, 'from another container');
    assert.match(await other.actor.ask('tcp', '172.17.0.1', 8080), /^web1 /, 'by the gateway');
    assert.match(await web.actor.ask('tcp', hostAddress, 8080), /^web1 /, 'from the container itself');
    assert.match(await local.ask('tcp', web.address, 80), /^web1 /, 'from the host, unpublished');
    assert.match(await other.actor.ask('tcp', web.address, 80), /^web1 /, 'from another container, unpublished');
  });

  test('a container reaches the world under the host’s address', async () => {
    await using host = await initialisedHost();
    const web = await host.web(1);
    const outside = host.actor(host.outsidePath, 'server');
    await outside.serve('tcp', 9000);
    assert.equal(await web.actor.ask('tcp', outsideAddress, 9000), `server ${hostAddress}`);
  });

  test('nobody outside reaches a port that is not published, or is published on localhost alone', async () => {
    await using host = await initialisedHost();
    const web = await host.web(1, [{ hostIp: '127.0.0.1', hostPort: 8080 }]);
    const outside = host.actor(host.outsidePath);
    await assert.rejects(outside.ask('tcp', web.address, 80), /ETIMEDOUT/);
    await assert.rejects(outside.ask('tcp', hostAddress, 8080), /ECONNREFUSED/);
    sendLoopbackBy(host, host.outsidePath, hostAddress);
    await assert.rejects(outside.ask('tcp', '127.0.0.1', 8080), /ETIMEDOUT/);
    // Without the guard it would: a port on the loopback is led to the container before routing looks at the packet.
    host.run(host.hostPath, 'nft', 'flush', 'chain', 'ip', tableName(engineId), 'guard');
    assert.match(await outside.ask('tcp', '127.0.0.1', 8080), /^web1 /);
    assert.match(await host.actor(host.hostPath).ask('tcp', '127.0.0.1', 8080), /^web1 /);
  });

  test('a container does not reach what listens on the host’s loopback', async () => {
    await using host = await initialisedHost();
    const web = await host.web(1);
    await host.actor(host.hostPath, 'secret').serve('tcp', 6000, '127.0.0.1');
    await assert.rejects(web.actor.ask('tcp', '172.17.0.1', 6000), /ECONNREFUSED/);
    sendLoopbackBy(host, web.sandbox.namespacePath, '172.17.0.1');
    await assert.rejects(web.actor.ask('tcp', '127.0.0.1', 6000), /ETIMEDOUT/);
    // Without the guard it would: the bridge takes such packets, for the sake of the host itself.
    host.run(host.hostPath, 'nft', 'flush', 'chain', 'ip', tableName(engineId), 'guard');
    assert.match(await web.actor.ask('tcp', '127.0.0.1', 6000), /^secret /);
  });

  test('UDP ports are published on IPv4 and IPv6', async () => {
    await using host = await initialisedHost();
    const web = await host.web(1, [{ protocol: 'udp', hostPort: 5353 }]);
    await web.actor.serve('udp', 80);
    const outside = host.actor(host.outsidePath);
    assert.equal(await outside.ask('udp', hostAddress, 5353), `web1 ${outsideAddress}`);
    assert.match(await host.actor(host.hostPath).ask('udp', '::1', 5353), /^web1 /);
  });

  test('who goes on sending datagrams to a published port reaches the container that now has it', async () => {
    await using host = await initialisedHost();
    const outside = host.actor(host.outsidePath);
    const asker = 40_000;
    for (const n of [1, 2]) {
      const { actor } = await host.web(n, [{ protocol: 'udp', hostPort: 5353 }]);
      await actor.serve('udp', 80);
      // The same source port: for the kernel it is one flow, which it would lead where the first packet went.
      assert.match(await outside.ask('udp', hostAddress, 5353, asker), new RegExp(`^web${n} `));
      await host.sandboxes.removeSandbox({ id: sandboxId(n) });
    }
  });

  test('without icc containers reach the world and published ports, but not each other', async () => {
    await using host = await initialisedHost({ icc: false });
    const web = await host.web(1, [{ hostPort: 8080 }]);
    const other = await host.web(2);
    const outside = host.actor(host.outsidePath, 'server');
    await outside.serve('tcp', 9000);
    await assert.rejects(other.actor.ask('tcp', web.address, 80), /ETIMEDOUT|EHOSTUNREACH/);
    assert.match(await other.actor.ask('tcp', outsideAddress, 9000), /^server /);
    assert.match(await outside.ask('tcp', hostAddress, 8080), /^web1 /);
  });

  test('a FORWARD policy of drop, set before or after, changes nothing for our containers', async () => {
    await using host = await initialisedHost();
    host.run(host.hostPath, 'iptables', '-P', 'FORWARD', 'DROP');
    const web = await host.web(1, [{ hostPort: 8080 }]);
    const other = await host.web(2);
    const outside = host.actor(host.outsidePath, 'server');
    await outside.serve('tcp', 9000);
    assert.match(await outside.ask('tcp', hostAddress, 8080), /^web1 /);
    assert.match(await other.actor.ask('tcp', web.address, 80), /^web1 /);
    assert.match(await web.actor.ask('tcp', outsideAddress, 9000), /^server /);
  });

  test('without rules of ours a published port is carried by the service itself', async () => {
    await using host = await initialisedHost({ iptables: false });
    await host.web(1, [{ hostPort: 8080 }]);
    assert.deepEqual(host.remains().rules, []);
    assert.match(await host.actor(host.outsidePath).ask('tcp', hostAddress, 8080), /^web1 /);
    assert.match(await host.actor(host.hostPath).ask('tcp', '127.0.0.1', 8080), /^web1 /);
  });

  test('rules that somebody has flushed are there again with the next container', async () => {
    await using host = await initialisedHost();
    await host.web(1, [{ hostPort: 8080 }]);
    host.run(host.hostPath, 'nft', 'flush', 'ruleset');
    const second = await host.web(2);
    const outside = host.actor(host.outsidePath, 'server');
    await outside.serve('tcp', 9000);
    assert.equal(await second.actor.ask('tcp', outsideAddress, 9000), `server ${hostAddress}`);
    assert.equal(await outside.ask('tcp', hostAddress, 8080), `web1 ${outsideAddress}`);
  });

  test('a sandbox has its loopback, one IPv4 address, the MTU and no IPv6 on the bridge', async () => {
    await using host = await initialisedHost();
    const { sandbox } = await host.web(1);
    const shown = host.run(sandbox.namespacePath, 'ip', '-o', 'address');
    assert.match(shown, /lo +inet 127\.0\.0\.1/);
    assert.match(shown, /eth0 +inet 172\.17\.0\.2\/16/);
    assert.doesNotMatch(shown, /eth0 +inet6/);
    assert.match(host.run(sandbox.namespacePath, 'ip', 'link', 'show', 'eth0'), /mtu 1400 .*\n.*02:42:ac:11:00:02/);
    const { sandbox: none } = await host.sandboxes.createSandbox({
      id: sandboxId(9),
      mode: SandboxMode.SANDBOX_MODE_NONE,
    });
    const links = host.run(none?.namespacePath ?? '', 'ip', '-o', 'link');
    assert.match(links, /^1: lo: <LOOPBACK,UP,LOWER_UP>[^\n]*\n$/);
    assert.equal(
      host.inHost((each) => each.links().some((link) => link.name === bridgeName)),
      true,
    );
  });
});
