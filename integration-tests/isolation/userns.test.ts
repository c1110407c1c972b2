import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { type Engine, placeEngine } from '../engine.ts';
import { importBusybox } from '../images.ts';
import { nothing } from '../machine.ts';

/** Whose subordinate ids the containers have: a user that is made for these tests. */
const user = `lsmap${process.pid}`;
const first = 1_000_000 + (process.pid % 1000) * 70_000;
const range = `${first}-${first + 65_535}`;

let engine: Engine;
const docker = (...args: string[]) => engine.dockerWith(undefined, ...args);
const attempt = (...args: string[]) => engine.docker('run', '--rm', ...args);
const inside = async (options: string[], script: string) =>
  (await docker('run', '--rm', ...options, 'busybox', 'sh', '-c', `exec 2>&1; ${script}`)).trimEnd();

suite('--userns-remap', () => {
  before(async () => {
    execFileSync('useradd', ['--system', '--no-create-home', '--user-group', '--shell', '/bin/false', user]);
    execFileSync('usermod', ['--add-subuids', range, '--add-subgids', range, user]);
    engine = await placeEngine({ flags: ['--userns-remap', user] });
    chmodSync(dirname(engine.dataRoot), 0o711);
    await engine.start();
    await importBusybox(engine);
  });
  after(async () => {
    await engine.dispose();
    execFileSync('userdel', [user]);
    assert.deepEqual(engine.state(), nothing);
    for (const file of ['/etc/subuid', '/etc/subgid'])
      assert.doesNotMatch(readFileSync(file, 'utf8'), new RegExp(user));
  });

  test('root in a container is the first subordinate id on the host', async () => {
    assert.match(
      await inside([], 'id -u; cat /proc/self/uid_map /proc/self/gid_map'),
      new RegExp(`^0\\n(\\s+0\\s+${first}\\s+65536\\n?){2}$`),
    );
    const id = (await docker('run', '-d', '--name', 'mapped', 'busybox', 'sleep', '1000')).trim();
    const pid = (await docker('inspect', '-f', '{{.State.Pid}}', id)).trim();
    assert.equal(statSync(`/proc/${pid}/root/etc/passwd`).uid, first);
    assert.match(readFileSync(`/proc/${pid}/status`, 'utf8'), new RegExp(`^Uid:\\t${first}\\t${first}\\t`, 'm'));
    assert.equal(await docker('exec', id, 'id', '-u'), '0\n');
    assert.equal(await docker('exec', '-u', 'dock', id, 'id', '-u'), '1000\n');
    await docker('rm', '-f', id);
  });

  test('the data are in a directory of the mapping’s own', () => {
    assert.ok(statSync(join(engine.dataRoot, `${first}.${first}`, 'overlay2')).isDirectory());
  });

  test('files have the owners that the image says, and can be made and given away', async () => {
    const script = 'stat -c %u:%g /etc/passwd /; touch /new; chown dock:dock /new; stat -c %u:%g /new; id -u';
    assert.equal(await inside([], script), '0:0\n0:0\n1000:1000\n0');
    assert.equal(await inside(['-u', 'dock'], 'touch /etc/x; id -u'), 'touch: /etc/x: Permission denied\n1000');
    assert.equal(await inside(['-w', '/made/here'], 'pwd; stat -c %u .'), '/made/here\n0');
  });

  test('an image that is committed has the container’s owners, not the host’s', async () => {
    await docker('run', '--name', 'to-commit', 'busybox', 'sh', '-c', 'touch /mine; chown dock /mine');
    const layer = await engine.docker('diff', 'to-commit');
    assert.match(layer.stdout, /^A \/mine$/m);
    const id = (await docker('inspect', '-f', '{{.Id}}', 'to-commit')).trim();
    const kept = statSync(join(engine.dataRoot, `${first}.${first}`, 'overlay2', id, 'diff', 'mine'));
    assert.deepEqual([kept.uid, kept.gid], [1000, 0]);
    await docker('rm', 'to-commit');
  });

  test('the network belongs to the container: it is reached, and with CAP_NET_ADMIN changed', async () => {
    assert.match(await inside([], 'ip addr show eth0'), new RegExp(engine.subnet.replaceAll('.', '\\.')));
    assert.equal(await inside([], `ping -c 1 -W 2 ${engine.subnet}.1 >/dev/null && echo reached`), 'reached');
    assert.equal(await inside(['--cap-add', 'NET_ADMIN'], 'ip link set eth0 mtu 1400 && echo changed'), 'changed');
    assert.match(await inside([], 'cat /etc/hostname; echo x >>/etc/hosts && echo written'), /written$/);
    assert.equal(await inside(['--network', 'none'], 'ls /sys/class/net'), 'lo');
  });

  test('volumes are the container’s root’s, binds the host’s', async () => {
    assert.equal(await inside(['-v', 'kept:/kept'], 'touch /kept/a && stat -c %u /kept /kept/a'), '0\n0');
    assert.equal(await inside(['-v', 'kept:/kept'], 'ls /kept'), 'a');
    assert.match(
      await inside(['-v', 'seed:/var/seed'], 'cat /var/seed/file; stat -c %u /var/seed/file'),
      /from the image\n0/,
    );
    const directory = mkdtempSync(join(tmpdir(), 'ls-userns-'));
    try {
      chmodSync(directory, 0o755);
      writeFileSync(join(directory, 'file'), 'of the host\n');
      const seen = await inside(
        ['-v', `${directory}:/host`],
        'cat /host/file; stat -c %u /host/file; touch /host/x; true',
      );
      assert.match(seen, /^of the host\n65534\n.*Permission denied$/);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  test('other containers’ namespaces can be joined', async () => {
    await docker('run', '-d', '--name', 'donor', '--ipc', 'shareable', 'busybox', 'sleep', '1000');
    await docker('exec', 'donor', 'sh', '-c', 'echo shared >/dev/shm/note');
    const options = ['--network', 'container:donor', '--ipc', 'container:donor', '--pid', 'container:donor'];
    assert.equal(await inside(options, 'cat /dev/shm/note; tr "\\0" " " </proc/1/cmdline'), 'shared\nsleep 1000');
    await docker('rm', '-f', 'donor');
  });

  test('docker cp and export speak of the container’s owners', async () => {
    await docker('run', '-d', '--name', 'files', 'busybox', 'sleep', '1000');
    await docker('exec', 'files', 'sh', '-c', 'echo one >/tmp/one; chown dock:dock /tmp/one');
    const tar = await engine.docker('cp', 'files:/tmp/one', '-');
    const listed = execFileSync('tar', ['-tvf', '-', '--numeric-owner'], { input: tar.stdout, encoding: 'utf8' });
    assert.match(listed, / 1000\/1000 .* one$/m);
    const directory = mkdtempSync(join(tmpdir(), 'ls-userns-'));
    try {
      writeFileSync(join(directory, 'two'), 'two\n');
      await docker('cp', join(directory, 'two'), 'files:/tmp/two');
      assert.equal(await docker('exec', 'files', 'stat', '-c', '%u:%g', '/tmp/two'), '0:0\n');
    } finally {
      rmSync(directory, { recursive: true });
    }
    await docker('rm', '-f', 'files');
  });

  test('what a user namespace cannot have is refused in Docker’s words, and had with --userns host', async () => {
    for (const [options, words] of [
      [['--privileged'], /privileged mode is incompatible with user namespaces/],
      [['--network', 'host'], /cannot share the host's network namespace when user namespaces are enabled/],
      [['--pid', 'host'], /cannot share the host PID namespace when user namespaces are enabled/],
    ] as const) {
      const refused = await attempt(...options, 'busybox', 'true');
      assert.equal(refused.code, 125);
      assert.match(refused.stderr, words);
      assert.match(await inside([...options, '--userns', 'host'], 'cat /proc/self/uid_map'), /^\s+0\s+0\s+4294967295$/);
    }
    assert.equal(await inside(['--userns', 'host'], 'stat -c %u /etc/passwd; touch /x && stat -c %u /x'), '0\n0');
  });

  for (const runtime of ['crun', 'runc']) {
    test(`${runtime} does it as well`, async () => {
      const options = ['--runtime', runtime, '--memory', '32m', '--device', '/dev/full', '--tmpfs', '/scratch'];
      const script =
        'echo x >/dev/full; touch /scratch/a && cat /sys/fs/cgroup/memory/memory.limit_in_bytes; head -1 /proc/self/uid_map';
      const seen = await inside(options, script);
      assert.match(seen, new RegExp(`No space left[\\s\\S]*\\n33554432\\n\\s+0\\s+${first}\\s+65536$`));
    });
  }

  test('docker info says so', async () => {
    assert.match(await docker('info', '-f', '{{.SecurityOptions}}'), /name=userns/);
  });

  test('containers live on when the engine ends, and it finds them again', async () => {
    await docker('run', '-d', '--name', 'lives', 'busybox', 'sh', '-c', 'while :; do sleep 0.1; done');
    await engine.stop();
    await engine.start();
    assert.equal(await docker('inspect', '-f', '{{.State.Running}}', 'lives'), 'true\n');
    assert.equal(await docker('exec', 'lives', 'touch', '/after'), '');
    assert.equal(await inside([], 'id -u'), '0');
    await docker('rm', '-f', 'lives');
  });
});
