import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { createNetworkNamespaces } from './namespaces.ts';
import { createSysctls } from './sysctls.ts';

test('a parameter is read by its name; one that is not there is undefined', () => {
  const sysctls = createSysctls();
  assert.equal(sysctls.read('kernel.ostype'), 'Linux');
  assert.equal(sysctls.read('kernel/ostype'), 'Linux');
  assert.equal(sysctls.read('kernel.nothing'), undefined);
  assert.throws(() => sysctls.write('kernel.nothing', '1'), { code: 'ENOENT' });
});

test('a name never leads out of the parameters', () => {
  const sysctls = createSysctls();
  for (const name of ['', 'kernel/../../../etc/passwd', '../x', '/etc/passwd', 'a//b', 'kernel.', './x']) {
    assert.throws(() => sysctls.read(name), { code: 'EINVAL' }, name);
  }
});

test('interfaces with a dot in their name are written with slashes around, or with a slash for the dot', () => {
  const root = mkdtempSync(join(tmpdir(), 'longshore-sysctl-'));
  mkdirSync(join(root, 'net/eth0.1'), { recursive: true });
  writeFileSync(join(root, 'net/eth0.1/forwarding'), '0\n');
  const sysctls = createSysctls(root);
  sysctls.write('net/eth0.1/forwarding', '1');
  assert.equal(sysctls.read('net.eth0/1.forwarding'), '1');
  assert.equal(readFileSync(join(root, 'net/eth0.1/forwarding'), 'utf8'), '1\n');
  rmSync(root, { recursive: true });
});

suite('in a namespace', { skip: process.getuid?.() === 0 ? false : 'needs root' }, () => {
  test('net parameters are those of the namespace that the thread is in', () => {
    const sysctls = createSysctls();
    const namespaces = createNetworkNamespaces();
    const directory = mkdtempSync(join(tmpdir(), 'longshore-sysctl-'));
    const path = join(directory, 'ns');
    const name = 'net.ipv4.ip_unprivileged_port_start';
    const outside = sysctls.read(name);
    namespaces.create(path);
    namespaces.run(path, () => sysctls.write(name, '77'));
    assert.equal(
      namespaces.run(path, () => sysctls.read(name)),
      '77',
    );
    assert.equal(sysctls.read(name), outside);
    namespaces.remove(path);
    rmSync(directory, { recursive: true });
  });
});
