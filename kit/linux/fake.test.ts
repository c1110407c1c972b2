import assert from 'node:assert/strict';
import { closeSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { createFakeLinux } from './fake.ts';
import { SystemError } from './system-error.ts';

test('the fakes record all calls in one order', () => {
  const linux = createFakeLinux();
  linux.mounts.bind('/a', '/b', { readOnly: true });
  linux.nftables.run('add table ip x');
  linux.mounts.unmount('/b');
  assert.deepEqual(linux.calls.names(), ['mounts.bind', 'nftables.run', 'mounts.unmount']);
  assert.deepEqual(linux.calls.all[0]?.args, ['/a', '/b', { readOnly: true }]);
});

test('the fake mount table answers what was mounted and not unmounted', () => {
  const { mounts } = createFakeLinux();
  mounts.mountOverlay({ lower: ['/l'], upper: '/u', work: '/w', target: '/m/1' });
  mounts.bind('/s', '/m/2');
  assert.deepEqual(
    mounts.list('/m').map(({ target }) => target),
    ['/m/1', '/m/2'],
  );
  assert.equal(mounts.unmount('/m/1'), true);
  assert.equal(mounts.unmount('/m/1'), false);
  assert.deepEqual(mounts.list('/m/1'), []);
});

test('the fake kernel has a table of interfaces for each namespace', () => {
  const directory = mkdtempSync(join(tmpdir(), 'longshore-fake-'));
  const path = join(directory, 'ns');
  const { rtnetlink, namespaces } = createFakeLinux();
  namespaces.create(path);
  const fd = openSync(path, 'r');
  rtnetlink.apply(
    { kind: 'create bridge', name: 'br0', alias: 'mark' },
    { kind: 'create veth', name: 'v0', alias: 'mark', master: 'br0', peer: { name: 'eth0', namespace: fd } },
  );
  closeSync(fd);
  assert.deepEqual(
    rtnetlink.links().map(({ name }) => name),
    ['lo', 'br0', 'v0'],
  );
  namespaces.run(path, () => {
    rtnetlink.apply(
      { kind: 'add address', link: 'eth0', address: '10.0.0.2/24' },
      { kind: 'add default route', gateway: '10.0.0.1', link: 'eth0' },
    );
    assert.deepEqual(rtnetlink.defaultRoute(), { interface: 'eth0', mtu: 1500, gateway: '10.0.0.1' });
  });
  assert.equal(rtnetlink.defaultRoute(), undefined);
  assert.throws(() => rtnetlink.apply({ kind: 'create bridge', name: 'br0', alias: '' }), { code: 'EEXIST' });
  namespaces.remove(path);
  rmSync(directory, { recursive: true });
});

test('a failure that was asked for happens once, without an effect', () => {
  const { calls, mounts } = createFakeLinux();
  calls.failNext('mounts.bind', new SystemError('bind', 16, '/b'));
  assert.throws(() => mounts.bind('/a', '/b'), { code: 'EBUSY' });
  assert.deepEqual(mounts.list(), []);
  mounts.bind('/a', '/b');
  assert.equal(mounts.list().length, 1);
});

test('a fake child ends when the test says so', async () => {
  const { processes } = createFakeLinux();
  const child = processes.spawn({ file: '/bin/x', args: [], env: {} });
  processes.exit(child.pid, 3);
  assert.equal(await child.exited, 3);
});
