import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, suite, test } from 'node:test';
import { engineForTests } from './inside.ts';

const folder = mkdtempSync(join(tmpdir(), 'longshore-engine-wide-'));
const profile = join(folder, 'profile.json');
writeFileSync(
  profile,
  JSON.stringify({
    defaultAction: 'SCMP_ACT_ALLOW',
    syscalls: [{ names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO' }],
  }),
);
after(() => rmSync(folder, { recursive: true }));

const at = engineForTests([
  '--init',
  '--no-new-privileges',
  ...['--seccomp-profile', profile],
  ...['--default-shm-size', '8m'],
  ...['--default-ipc-mode', 'shareable'],
  ...['--default-cgroupns-mode', 'private'],
]);

suite('what the engine’s flags say of all containers', () => {
  // The shell becomes its last command.
  const first = 'cat /proc/1/comm; true';
  const privileges = 'grep ^NoNewPrivs: /proc/self/status';
  const memory = "df -k /dev/shm | awk 'NR == 2 { print $2 }'";
  const cgroups = 'readlink /proc/self/ns/cgroup';

  test('is so where a container says nothing', async () => {
    assert.notEqual(await at.inside([], first), 'sh');
    assert.equal(await at.inside([], privileges), 'NoNewPrivs:\t1');
    assert.match(await at.inside([], 'mkdir /tmp/x'), /Operation not permitted/);
    assert.equal(await at.inside([], memory), '8192');
    const own = await at.inside([], cgroups);
    assert.notEqual(own, await at.inside(['--cgroupns', 'host'], cgroups));
    await at.running('donor');
    assert.equal(await at.inspect('donor', '{{.HostConfig.IpcMode}} {{.HostConfig.ShmSize}}'), 'shareable 8388608');
    await at.engine.dockerWith(undefined, 'exec', 'donor', 'sh', '-c', 'echo seen > /dev/shm/mark');
    assert.equal(await at.inside(['--ipc', 'container:donor'], 'cat /dev/shm/mark'), 'seen');
  });

  test('and is not where it says otherwise', async () => {
    assert.equal(await at.inside(['--init=false'], first), 'sh');
    assert.equal(await at.inside(['--security-opt', 'no-new-privileges=false'], privileges), 'NoNewPrivs:\t0');
    const unconfined = ['--security-opt', 'seccomp=unconfined'];
    assert.equal(await at.inside(unconfined, 'mkdir /tmp/x && echo made'), 'made');
    assert.equal(await at.inside(['--privileged'], 'mkdir /tmp/x && echo made'), 'made');
    assert.equal(await at.inside(['--shm-size', '2m'], memory), '2048');
    await at.running('alone', '--ipc', 'private');
    const { code, stderr } = await at.attempt(['--ipc', 'container:alone']);
    assert.equal(code, 125);
    assert.match(stderr, /shareable/);
  });

  test('docker info tells', async () => {
    const shown = await at.engine.dockerWith(undefined, 'info', '-f', '{{json .SecurityOptions}}');
    const options: string[] = JSON.parse(shown);
    for (const option of ['name=no-new-privileges', 'name=cgroupns', `name=seccomp,profile=${profile}`]) {
      assert(options.includes(option), `${option} in ${shown}`);
    }
  });
});
