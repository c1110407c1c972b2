import assert from 'node:assert/strict';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { createNetworkNamespaces } from './namespaces.ts';
import { createRtnetlink, type Link } from './rtnetlink.ts';
import { SystemError } from './system-error.ts';

const skip = process.getuid?.() === 0 ? false : 'needs root to make network namespaces';
const namespaces = createNetworkNamespaces();
const rtnetlink = createRtnetlink();

/** Two namespaces of the test's own: one plays the host, the other the container. */
function twoNamespaces() {
  const directory = mkdtempSync(join(tmpdir(), 'longshore-rtnl-'));
  const paths = [join(directory, 'host'), join(directory, 'container')] as const;
  for (const path of paths) namespaces.create(path);
  const [host, container] = paths;
  const containerFd = openSync(container, 'r');
  return {
    containerFd,
    host: <Result>(action: () => Result): Result => namespaces.run(host, action),
    container: <Result>(action: () => Result): Result => namespaces.run(container, action),
    [Symbol.dispose]() {
      closeSync(containerFd);
      for (const path of paths) namespaces.remove(path);
      rmSync(directory, { recursive: true });
    },
  };
}

function linkNamed(name: string): Link {
  const link = rtnetlink.links().find((candidate) => candidate.name === name);
  assert.ok(link, `${name} exists`);
  return link;
}

const bridge = {
  kind: 'create bridge',
  name: 'br0',
  alias: 'longshore:e:br0',
  mac: '02:42:00:00:00:01',
  up: true,
} as const;

suite('rtnetlink', { skip }, () => {
  test('a bridge gets name, mark, MAC, MTU and addresses in one send', () => {
    using net = twoNamespaces();
    net.host(() => {
      rtnetlink.apply(
        { ...bridge, mtu: 1400 },
        { kind: 'add address', link: 'br0', address: '10.7.0.1/24' },
        { kind: 'add address', link: 'br0', address: 'fd00:7::1/64' },
      );
      const link = linkNamed('br0');
      const { name, alias, mac, mtu, kind, isUp } = link;
      const expected = { name: 'br0', alias: 'longshore:e:br0', mac: '02:42:00:00:00:01', mtu: 1400, kind: 'bridge' };
      assert.deepEqual({ name, alias, mac, mtu, kind, isUp }, { ...expected, isUp: true });
      const addresses = rtnetlink.addresses().filter((address) => address.link === link.index && address.scope === 0);
      assert.deepEqual(
        addresses.map(({ family, address, prefixLength }) => [family, address, prefixLength]),
        [
          [4, '10.7.0.1', 24],
          [6, 'fd00:7::1', 64],
        ],
      );
      assert.deepEqual(rtnetlink.routes(), [{ destination: '10.7.0.0/24', link: link.index, metric: 0 }]);
      rtnetlink.apply({ kind: 'delete address', link: 'br0', address: '10.7.0.1/24' });
      assert.deepEqual(rtnetlink.routes(), []);
    });
  });

  test('a veth becomes a port of the bridge and its peer is born in the container, ready for address and route', () => {
    using net = twoNamespaces();
    net.host(() => {
      const peer = { name: 'eth0', namespace: net.containerFd, mac: '02:42:0a:07:00:02' };
      rtnetlink.apply(bridge);
      rtnetlink.apply(
        { kind: 'create veth', name: 'veth1', alias: 'longshore:e:1', peer, mtu: 1400, master: 'br0', up: true },
        { kind: 'set link', name: 'veth1', hairpin: true },
      );
      const port = linkNamed('veth1');
      assert.equal(port.master, linkNamed('br0').index);
      assert.deepEqual([port.alias, port.kind, port.mtu, port.isUp], ['longshore:e:1', 'veth', 1400, true]);
    });
    net.container(() => {
      rtnetlink.apply(
        { kind: 'set link', name: 'lo', up: true },
        { kind: 'set link', name: 'eth0', up: true },
        { kind: 'add address', link: 'eth0', address: '10.7.0.2/24' },
        { kind: 'add default route', gateway: '10.7.0.1', link: 'eth0' },
      );
      assert.equal(linkNamed('eth0').mac, '02:42:0a:07:00:02');
      assert.equal(linkNamed('eth0').mtu, 1400);
      assert.deepEqual(rtnetlink.defaultRoute(), { interface: 'eth0', mtu: 1400, gateway: '10.7.0.1' });
    });
  });

  test('a port takes frames back when hairpin is set, and keeps from others when isolated', () => {
    using net = twoNamespaces();
    const mark = `hp${process.pid}`.slice(0, 15);
    const master = `hb${process.pid}`.slice(0, 15);
    // sysfs shows the interfaces of the namespace that it was mounted in, so this one is made there.
    try {
      rtnetlink.apply(
        { kind: 'create bridge', name: master, alias: 'longshore:test' },
        {
          kind: 'create veth',
          name: mark,
          alias: 'longshore:test',
          peer: { name: 'eth0', namespace: net.containerFd },
          master,
        },
        { kind: 'set link', name: mark, hairpin: true, isolated: true },
      );
      assert.equal(readFileSync(`/sys/class/net/${mark}/brport/hairpin_mode`, 'utf8').trim(), '1');
      assert.equal(readFileSync(`/sys/class/net/${mark}/brport/isolated`, 'utf8').trim(), '1');
      rtnetlink.apply({ kind: 'set link', name: mark, hairpin: false });
      assert.equal(readFileSync(`/sys/class/net/${mark}/brport/hairpin_mode`, 'utf8').trim(), '0');
      rtnetlink.apply({ kind: 'set link', name: mark, master: null });
      assert.equal(linkNamed(mark).master, undefined);
    } finally {
      rtnetlink.apply({ kind: 'delete link', name: mark }, { kind: 'delete link', name: master });
    }
  });

  test('creating what exists is refused and leaves the other’s mark and settings alone', () => {
    using net = twoNamespaces();
    net.host(() => {
      rtnetlink.apply({ ...bridge, alias: 'somebody else', mtu: 1400 });
      assert.throws(
        () => rtnetlink.apply({ ...bridge, alias: 'ours' }, { kind: 'set link', name: 'br0', mtu: 1300 }),
        (error) => error instanceof SystemError && error.code === 'EEXIST' && error.path === 'create bridge br0',
      );
      assert.equal(linkNamed('br0').alias, 'somebody else');
      assert.equal(linkNamed('br0').mtu, 1400);
    });
  });

  test('a deleted interface is gone; deleting it again says ENODEV', () => {
    using net = twoNamespaces();
    net.host(() => {
      rtnetlink.apply(bridge);
      rtnetlink.apply({ kind: 'delete link', name: 'br0' });
      assert.equal(
        rtnetlink.links().some(({ name }) => name === 'br0'),
        false,
      );
      assert.throws(() => rtnetlink.apply({ kind: 'delete link', name: 'br0' }), { code: 'ENODEV' });
      assert.throws(() => rtnetlink.apply({ kind: 'add address', link: 'br0', address: '10.7.0.1/24' }), {
        code: 'ENODEV',
      });
    });
  });

  test('nothing is sent when a change is malformed', () => {
    using net = twoNamespaces();
    net.host(() => {
      const bad = { kind: 'add address', link: 'br0', address: '10.7.0.300/24' } as const;
      assert.throws(() => rtnetlink.apply(bridge, bad), RangeError);
      assert.throws(() => rtnetlink.apply({ ...bridge, name: 'a-name-of-16-byte' }), { code: 'EINVAL' });
      assert.equal(
        rtnetlink.links().some(({ name }) => name === 'br0'),
        false,
      );
    });
  });

  test('two hundred changes and long lists work', () => {
    using net = twoNamespaces();
    net.host(() => {
      rtnetlink.apply(bridge);
      const addresses = Array.from({ length: 200 }, (_, n) => `10.7.1.${n + 1}/24`);
      rtnetlink.apply(...addresses.map((address) => ({ kind: 'add address', link: 'br0', address }) as const));
      const found = rtnetlink.addresses().filter(({ family }) => family === 4);
      assert.equal(found.length, 200);
    });
  });

  test('without a default route there is none', () => {
    using net = twoNamespaces();
    assert.equal(
      net.host(() => rtnetlink.defaultRoute()),
      undefined,
    );
  });
});
