import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { bootEngine, type Engine, until } from '../engine.ts';
import { importBusybox } from '../images.ts';
import { nothing } from '../machine.ts';

let engine: Engine;
const run = (...args: string[]) => engine.dockerWith(undefined, 'run', '--rm', ...args);

before(async () => {
  engine = await bootEngine();
  await importBusybox(engine);
});
after(async () => {
  await engine.dispose();
  assert.deepEqual(engine.state(), nothing);
});

test('a container prints what its command prints, stdout and stderr apart', async () => {
  const { code, stdout, stderr } = await engine.docker('run', '--rm', 'busybox', 'sh', '-c', 'echo out; echo err >&2');
  assert.deepEqual([code, stdout, stderr], [0, 'out\n', 'err\n']);
});

for (const [network, interfaces] of [
  ['bridge', ['eth0', 'lo']],
  ['none', ['lo']],
] as const) {
  test(`--network ${network} has ${interfaces.join(' and ')} in a namespace of its own`, async () => {
    const out = await run('--network', network, 'busybox', 'ls', '/sys/class/net');
    // The kernel may put tunnel stubs (tunl0, sit0 …) into every new namespace.
    const names = out.split(/\s+/).filter((name) => name === 'lo' || name.startsWith('eth'));
    assert.deepEqual(names.sort(), [...interfaces]);
  });
}

test('--network host has the host’s interfaces', async () => {
  assert.match(await run('--network', 'host', 'busybox', 'ls', '/sys/class/net'), new RegExp(engine.bridge));
});

test('the exit code of the command is the exit code of docker run', async () => {
  assert.equal((await engine.docker('run', '--rm', 'busybox', 'sh', '-c', 'exit 7')).code, 7);
});

test('an unknown command is 127, one that is not executable 126, a bad flag 125', async () => {
  const unknown = await engine.docker('run', '--rm', 'busybox', 'no-such-command');
  assert.equal(unknown.code, 127);
  assert.match(unknown.stderr, /executable file not found in \$PATH/);
  const notExecutable = await engine.docker('run', '--rm', 'busybox', '/etc/not-executable');
  assert.equal(notExecutable.code, 126);
  assert.match(notExecutable.stderr, /permission denied/);
  const badFlag = await engine.docker('run', '--rm', '--cap-add', 'NO_SUCH_CAP', 'busybox', 'true');
  assert.equal(badFlag.code, 125);
  assert.match(badFlag.stderr, /NO_SUCH_CAP/);
});

test('a container that is killed gives 137', async () => {
  const running = engine.docker('run', '--rm', '--name', 'killed', 'busybox', 'sleep', '1000');
  await until(async () => (await engine.docker('ps', '-q', '--filter', 'name=killed')).stdout !== '', 10_000);
  await engine.dockerWith(undefined, 'kill', '-s', 'KILL', 'killed');
  assert.equal((await running).code, 137);
});

test('-e, -w, -u, --hostname and --env of the image reach the process', async () => {
  const script = 'echo $GREETING $(pwd) $(id -u):$(id -g) $(hostname)';
  const out = await run(
    '-e',
    'GREETING=hi',
    '-w',
    '/tmp/made',
    '-u',
    'dock',
    '--hostname',
    'harbour',
    'busybox',
    'sh',
    '-c',
    script,
  );
  assert.equal(out, 'hi /tmp/made 1000:1000 harbour\n');
});

test('-v shows a directory of the host, writable or :ro, and a named volume that keeps its content', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'ls-bind-'));
  try {
    writeFileSync(join(dir, 'note'), 'from the host\n');
    assert.equal(
      await run('-v', `${dir}:/data`, 'busybox', 'sh', '-c', 'cat /data/note; echo back >/data/reply'),
      'from the host\n',
    );
    assert.equal(readFileSync(join(dir, 'reply'), 'utf8'), 'back\n');
    const refused = await engine.docker('run', '--rm', '-v', `${dir}:/data:ro`, 'busybox', 'touch', '/data/x');
    assert.match(refused.stderr, /Read-only file system/);
    await run('-v', 'kept:/keep', 'busybox', 'sh', '-c', 'echo still here >/keep/file');
    assert.equal(await run('-v', 'kept:/keep', 'busybox', 'cat', '/keep/file'), 'still here\n');
    assert.match(await engine.dockerWith(undefined, 'volume', 'ls', '-q'), /^kept$/m);
  } finally {
    rmSync(dir, { recursive: true });
  }
});

test('a new named volume is filled with what the image has at its place', async () => {
  assert.equal(await run('-v', 'seeded:/var/seed', 'busybox', 'cat', '/var/seed/file'), 'from the image\n');
});

test('--memory, --cpus and --pids-limit are what the kernel enforces', async () => {
  const script =
    'cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/cpu/cpu.cfs_quota_us';
  const out = await run('--memory', '64m', '--cpus', '0.5', '--pids-limit', '33', 'busybox', 'sh', '-c', script);
  assert.equal(out, `${64 * 1024 * 1024}\n33\n50000\n`);
});

test('--read-only refuses writes to the root; --cap-drop takes a capability away', async () => {
  assert.match(
    (await engine.docker('run', '--rm', '--read-only', 'busybox', 'touch', '/x')).stderr,
    /Read-only file system/,
  );
  const dropped = await engine.docker('run', '--rm', '--cap-drop', 'CHOWN', 'busybox', 'chown', 'dock', '/tmp');
  assert.match(dropped.stderr, /Operation not permitted/);
});

test('seccomp refuses what Docker’s default profile refuses', async () => {
  assert.match(
    (await engine.docker('run', '--rm', 'busybox', 'unshare', '-m', 'true')).stderr,
    /Operation not permitted/,
  );
});

test('-i passes stdin on and its end', async () => {
  assert.equal(await engine.dockerWith(Buffer.from('a\nb\n'), 'run', '--rm', '-i', 'busybox', 'cat'), 'a\nb\n');
});

test('-it gives a real terminal', async () => {
  const child = spawn(
    'script',
    ['-qec', 'docker run --rm -it busybox sh -c "test -t 0 && stty size && echo is-a-tty"', '/dev/null'],
    {
      env: { ...process.env, DOCKER_HOST: engine.host, TERM: 'xterm' },
      stdio: ['pipe', 'pipe', 'inherit'],
    },
  );
  let out = '';
  for await (const chunk of child.stdout) out += chunk;
  assert.match(out, /is-a-tty/);
});

test('-d, ps, logs -f, stop, wait, inspect and rm -f', async () => {
  const script = 'trap "echo bye; exit 3" TERM; echo one; echo two >&2; while :; do sleep 0.05; done';
  const id = (
    await engine.dockerWith(undefined, 'run', '-d', '--name', 'worker', 'busybox', 'sh', '-c', script)
  ).trim();
  assert.match(id, /^[0-9a-f]{64}$/);
  assert.match(await engine.dockerWith(undefined, 'ps'), /worker/);
  const following = engine.docker('logs', '-f', 'worker');
  const waiting = engine.docker('wait', 'worker');
  await until(async () => (await engine.docker('logs', 'worker')).stdout.includes('one'), 10_000);
  await engine.dockerWith(undefined, 'stop', 'worker');
  assert.deepEqual(await following, { code: 0, stdout: 'one\nbye\n', stderr: 'two\n' });
  assert.equal((await waiting).stdout, '3\n');
  const [inspected] = JSON.parse(await engine.dockerWith(undefined, 'inspect', 'worker'));
  assert.equal(inspected.State.Status, 'exited');
  assert.equal(inspected.State.ExitCode, 3);
  assert.match(await engine.dockerWith(undefined, 'ps', '-a'), /Exited \(3\)/);
  await engine.dockerWith(undefined, 'rm', '-f', 'worker');
  assert.match((await engine.docker('inspect', 'worker')).stderr, /No such (object|container): worker/i);
});

test('attach joins a running container; the end of its input detaches, and the container goes on', async () => {
  await engine.dockerWith(undefined, 'run', '-d', '-i', '--name', 'echoing', 'busybox', 'cat');
  const child = spawn('docker', ['attach', 'echoing'], {
    env: { ...process.env, DOCKER_HOST: engine.host },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  child.stdin.write('hello\n');
  const [answer] = await once(child.stdout, 'data');
  assert.equal(String(answer), 'hello\n');
  child.stdin.end();
  // The client has let go of the container’s streams, and waits for its end.
  assert.equal(await engine.dockerWith(undefined, 'inspect', '-f', '{{.State.Status}}', 'echoing'), 'running\n');
  await engine.dockerWith(undefined, 'rm', '-f', 'echoing');
  assert.equal(child.exitCode ?? (await once(child, 'exit'))[0], 137);
});

test('a published port answers from the host, from localhost and from another container', async () => {
  const serve = 'mkdir /www; echo served >/www/index.html; httpd -f -p 80 -h /www';
  await engine.dockerWith(undefined, 'run', '-d', '--name', 'web', '-p', '0:80', 'busybox', 'sh', '-c', serve);
  const address = (await engine.dockerWith(undefined, 'port', 'web', '80/tcp')).split('\n')[0] ?? '';
  const port = address.split(':').at(-1);
  const answer = async (host: string) => {
    try {
      return await (await fetch(`http://${host}:${port}/`, { signal: AbortSignal.timeout(2_000) })).text();
    } catch {
      return '';
    }
  };
  await until(async () => (await answer(`${engine.subnet}.1`)) === 'served\n', 10_000);
  assert.equal(await answer('127.0.0.1'), 'served\n');
  assert.equal(await run('busybox', 'wget', '-q', '-O', '-', `http://${engine.subnet}.1:${port}/`), 'served\n');
  await engine.dockerWith(undefined, 'rm', '-f', 'web');
});

test('events tell a container’s life in order', async () => {
  const since = Date.now() / 1000;
  await run('--name', 'lively', 'busybox', 'true');
  const format = ['--format', '{{.Type}} {{.Action}}'];
  const out = await engine.dockerWith(
    undefined,
    'events',
    '--since',
    String(since),
    '--until',
    String(Date.now() / 1000 + 0.2),
    ...format,
  );
  const actions = out.split('\n').filter((line) => line.startsWith('container'));
  assert.deepEqual(
    actions,
    ['create', 'attach', 'start', 'die', 'destroy'].map((action) => `container ${action}`),
  );
});
