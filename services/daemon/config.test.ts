import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { resolveConfig } from './config.ts';
import { daemonCommand, type Flags } from './flags.ts';

test('without flags: the usual roots, a socket and a pidfile in the exec root, live restore', () => {
  const config = resolveConfig({}, {});
  assert.deepEqual(config.hosts, ['unix:///run/longshore/docker.sock']);
  assert.equal(config.dataRoot, '/var/lib/longshore');
  assert.equal(config.pidfile, '/run/longshore/longshore.pid');
  assert.equal(config.bridgeName, 'longshore0');
  assert.equal(config.liveRestore, true);
  assert.deepEqual(config.insecureRegistries, ['127.0.0.0/8']);
});

test('socket and pidfile follow the exec root', () => {
  const config = resolveConfig({ execRoot: '/run/two' }, {});
  assert.deepEqual([config.hosts[0], config.pidfile], ['unix:///run/two/docker.sock', '/run/two/longshore.pid']);
});

test('DOCKER_DRIVER beats --storage-driver', () => {
  assert.equal(resolveConfig({ storageDriver: 'btrfs' }, { DOCKER_DRIVER: 'vfs' }).storageDriver, 'vfs');
  assert.equal(resolveConfig({ storageDriver: 'btrfs' }, { DOCKER_DRIVER: '' }).storageDriver, 'btrfs');
});

for (const [flags, names] of [
  [{ bip: '10.0.0.1' }, '--bip'],
  [{ bip: '10.0.0.300/24' }, '--bip'],
  [{ bip: '10.0.0.1/33' }, '--bip'],
  [{ dns: ['one.one'] }, '--dns'],
  [{ ip: '::1' }, '--ip'],
  [{ mtu: '12' }, '--mtu'],
  [{ mtu: '1e9' }, '--mtu'],
  [{ icc: 'perhaps' }, '--icc'],
  [{ host: ['http://x'] }, '--host'],
  [{ bridgeName: 'a-name-that-is-too-long' }, '--bridge-name'],
  [{ defaultUlimit: ['nofile'] }, '--default-ulimit'],
  [{ defaultShmSize: 'much' }, '--default-shm-size'],
  [{ defaultShmSize: '0' }, '--default-shm-size'],
  [{ defaultIpcMode: 'host' }, '--default-ipc-mode'],
  [{ defaultCgroupnsMode: 'none' }, '--default-cgroupns-mode'],
  [{ init: 'perhaps' }, '--init'],
  [{ seccompProfile: '/nonexistent.json' }, '--seccomp-profile'],
  [{ storageOpt: ['size'] }, '--storage-opt'],
  [{ graphEndpoint: 'localhost:1' }, '--graph-endpoint'],
] satisfies [Flags, string][]) {
  test(`${JSON.stringify(flags)} is refused in one line that names ${names}`, () => {
    assert.throws(
      () => resolveConfig(flags, {}),
      (error: Error) => {
        assert.ok(error.message.startsWith(names), error.message);
        return !error.message.includes('\n');
      },
    );
  });
}

function withFile(content: string, use: (path: string) => void): void {
  const dir = mkdtempSync(join(tmpdir(), 'ls-config-'));
  try {
    writeFileSync(join(dir, 'daemon.json'), content);
    use(join(dir, 'daemon.json'));
  } finally {
    rmSync(dir, { recursive: true });
  }
}

test('the configuration file takes dockerd’s keys', () => {
  const file = {
    bip: '10.1.2.3/24',
    'live-restore': false,
    mtu: 1400,
    'default-ulimits': { nofile: { Name: 'nofile', Soft: 10, Hard: 20 } },
  };
  withFile(JSON.stringify(file), (configFile) => {
    const config = resolveConfig({ configFile }, {});
    assert.deepEqual([config.bip, config.liveRestore, config.mtu], ['10.1.2.3/24', false, 1400]);
    assert.deepEqual(config.defaultUlimits, [{ name: 'nofile', soft: 10n, hard: 20n }]);
  });
});

test('a seccomp profile is read with the rest, and looked at', () => {
  const profile = '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[]}';
  withFile(profile, (name) =>
    assert.deepEqual(resolveConfig({ seccompProfile: name }, {}).seccompProfile, { name, rules: profile }),
  );
  assert.deepEqual(resolveConfig({}, {}).seccompProfile, { name: 'builtin', rules: '' });
  assert.deepEqual(resolveConfig({ seccompProfile: 'unconfined' }, {}).seccompProfile.rules, 'unconfined');
  for (const bad of ['{', '[]', '{"syscalls":[]}']) {
    withFile(bad, (name) =>
      assert.throws(() => resolveConfig({ seccompProfile: name }, {}), /is not a seccomp profile/),
    );
  }
});

test('--no-new-privileges is a flag of its own, and no negation', () => {
  const parse = (...flags: string[]) => daemonCommand().parse(flags, { from: 'user' }).opts<Flags>();
  const said = (flags: Flags) => resolveConfig(flags, {}).noNewPrivileges;
  assert.equal(parse().noNewPrivileges, undefined);
  assert.deepEqual(
    [said(parse()), said(parse('--no-new-privileges')), said(parse('--no-new-privileges=false'))],
    [false, true, false],
  );
});

test('a key that is given both ways is an error that names it', () => {
  withFile('{"bip":"10.1.2.3/24"}', (configFile) => {
    assert.throws(() => resolveConfig({ configFile, bip: '10.0.0.1/24' }, {}), /"bip" is given both as a flag and in/);
  });
});

test('an unknown key, a wrong type, broken JSON and a missing file are told apart', () => {
  withFile('{"bipp":"x"}', (configFile) =>
    assert.throws(() => resolveConfig({ configFile }, {}), /"bipp" is not a key/),
  );
  withFile('{"dns":"1.1.1.1"}', (configFile) =>
    assert.throws(() => resolveConfig({ configFile }, {}), /"dns" must be a list of texts/),
  );
  withFile('{', (configFile) => assert.throws(() => resolveConfig({ configFile }, {}), /not valid JSON/));
  assert.throws(() => resolveConfig({ configFile: '/nonexistent.json' }, {}), /cannot read the configuration file/);
});
