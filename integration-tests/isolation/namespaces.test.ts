import assert from 'node:assert/strict';
import { readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import { test } from 'node:test';
import { engineForTests } from './inside.ts';

const at = engineForTests();
const docker = (...args: string[]) => at.engine.dockerWith(undefined, ...args);
const ofHost = (kind: string) => readlinkSync(`/proc/self/ns/${kind}`);
const read = (kind: string) => `readlink /proc/self/ns/${kind}`;

test('a container has namespaces of its own, but for users and version 1’s cgroups', async () => {
  for (const kind of ['pid', 'ipc', 'uts', 'net', 'mnt'])
    assert.notEqual(await at.inside([], read(kind)), ofHost(kind));
  assert.equal(await at.inside([], read('user')), ofHost('user'));
});

for (const [option, kind] of [
  ['pid', 'pid'],
  ['ipc', 'ipc'],
  ['uts', 'uts'],
  ['userns', 'user'],
  ['cgroupns', 'cgroup'],
  ['network', 'net'],
] as const) {
  test(`--${option} host is the host’s`, async () => {
    assert.equal(await at.inside([`--${option}`, 'host'], read(kind)), ofHost(kind));
  });
}

test('--cgroupns private shows the container’s cgroup as the root', async () => {
  const seen = await at.inside(['--cgroupns', 'private'], `${read('cgroup')}; grep :pids: /proc/self/cgroup`);
  assert.notEqual(seen.split('\n')[0], ofHost('cgroup'));
  assert.match(seen, /:pids:\/$/);
});

test('info says whether containers get a cgroup namespace by default, as they do', async () => {
  const isTold = (await docker('info', '-f', '{{.SecurityOptions}}')).includes('name=cgroupns');
  assert.equal(isTold, (await at.inside([], read('cgroup'))).trim() !== ofHost('cgroup'));
});

test('--pid container: shows the other’s processes, and its first is theirs', async () => {
  const donor = await at.running('pid-donor');
  const pid = await at.inspect(donor, '{{.State.Pid}}');
  const seen = await at.inside(['--pid', 'container:pid-donor'], `${read('pid')}; cat /proc/1/cmdline | tr '\\0' ' '`);
  assert.equal(seen, `${readlinkSync(`/proc/${pid}/ns/pid`)}\nsleep 10000`);
  await docker('rm', '-f', donor);
});

test('--pid container: of one that does not run, and of nobody, is refused', async () => {
  await docker('create', '--name', 'pid-idle', 'busybox', 'true');
  const idle = await at.attempt(['--pid', 'container:pid-idle']);
  assert.match(idle.stderr, /failed to join PID namespace: container [0-9a-f]{64} is not running/);
  assert.equal(idle.code, 125);
  for (const [option, what] of [
    ['--pid', 'failed to join PID namespace'],
    ['--ipc', 'failed to join IPC namespace'],
    ['--network', 'joining network namespace of container'],
  ] as const) {
    const { code, stderr } = await at.attempt([option, 'container:nobody']);
    assert.match(stderr, new RegExp(`${what}: No such container: nobody`));
    assert.equal(code, 125);
  }
});

test('--ipc shareable shares the namespace and /dev/shm with --ipc container:, also when the owner is gone', async () => {
  const donor = await at.running('ipc-donor', '--ipc', 'shareable', '--shm-size', '8m');
  const pid = await at.inspect(donor, '{{.State.Pid}}');
  await docker('exec', donor, 'sh', '-c', 'echo shared >/dev/shm/note');
  const script = `${read('ipc')}; cat /dev/shm/note; grep ' /dev/shm ' /proc/mounts`;
  const [namespace, note, mount = ''] = (await at.inside(['--ipc', 'container:ipc-donor'], script)).split('\n');
  assert.deepEqual([namespace, note], [readlinkSync(`/proc/${pid}/ns/ipc`), 'shared']);
  assert.match(mount, /tmpfs rw,nosuid,nodev,noexec,relatime,size=8192k/);
  const heir = await at.running('ipc-heir', '--ipc', 'container:ipc-donor');
  await docker('rm', '-f', donor);
  assert.equal(await docker('exec', heir, 'cat', '/dev/shm/note'), 'shared\n');
  await docker('rm', '-f', heir);
});

test('--ipc container: of a private one is refused, as Docker does', async () => {
  const donor = await at.running('ipc-private');
  const { code, stderr } = await at.attempt(['--ipc', 'container:ipc-private']);
  assert.match(stderr, /non-shareable IPC \(hint: use IpcMode:shareable for the donor container\)/);
  assert.equal(code, 125);
  await docker('rm', '-f', donor);
});

test('--ipc none has a namespace of its own and no /dev/shm', async () => {
  const seen = await at.inside(['--ipc', 'none'], `${read('ipc')}; grep -c ' /dev/shm ' /proc/mounts`);
  const [namespace, mounts] = seen.split('\n');
  assert.notEqual(namespace, ofHost('ipc'));
  assert.equal(mounts, '0');
});

test('--network container: has the other’s interfaces and names', async () => {
  const donor = await at.running('net-donor', '--hostname', 'harbour');
  const pid = await at.inspect(donor, '{{.State.Pid}}');
  const script = `${read('net')}; hostname; grep -c harbour /etc/hosts`;
  const seen = await at.inside(['--network', 'container:net-donor'], script);
  assert.equal(seen, `${readlinkSync(`/proc/${pid}/ns/net`)}\nharbour\n1`);
  await docker('rm', '-f', donor);
});

test('--uts host has the host’s name, and takes none of its own', async () => {
  assert.equal(await at.inside(['--uts', 'host'], 'hostname'), hostname());
  const { code, stderr } = await at.attempt(['--uts', 'host', '--hostname', 'mine']);
  assert.match(stderr, /conflicting options: hostname and the UTS mode/);
  assert.equal(code, 125);
});

test('with the host’s network there are no statistics of interfaces', async () => {
  const id = await at.running('net-host', '--network', 'host');
  const { stdout } = await at.engine.docker('stats', '--no-stream', '--format', '{{.NetIO}}', id);
  assert.equal(stdout, '0B / 0B\n');
  await docker('rm', '-f', id);
});
