import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { engineForTests } from './inside.ts';

const at = engineForTests();
const docker = (...args: string[]) => at.engine.dockerWith(undefined, ...args);

test('--ulimit sets soft and hard limits; a name that is none is refused', async () => {
  const script = 'ulimit -n; ulimit -Hn; ulimit -c';
  assert.equal(await at.inside(['--ulimit', 'nofile=1000:2000', '--ulimit', 'core=0'], script), '1000\n2000\n0');
  const { code, stderr } = await at.attempt(['--ulimit', 'nonsense=1']);
  assert.equal(code, 125);
  assert.match(stderr, /invalid ulimit type: nonsense/);
});

test('--sysctl sets those of the container’s namespaces, and the host’s stay', async () => {
  const before = readFileSync('/proc/sys/kernel/msgmax', 'utf8');
  const options = [
    '--sysctl',
    'net.ipv4.ip_forward=1',
    '--sysctl',
    'kernel.msgmax=4242',
    '--sysctl',
    'fs.mqueue.msg_max=11',
  ];
  const script = 'cd /proc/sys; cat net/ipv4/ip_forward kernel/msgmax fs/mqueue/msg_max';
  assert.equal(await at.inside(options, script), '1\n4242\n11');
  assert.equal(readFileSync('/proc/sys/kernel/msgmax', 'utf8'), before);
});

test('--sysctl is refused where the namespace is the host’s', async () => {
  const network = await at.attempt(['--network', 'host', '--sysctl', 'net.core.somaxconn=99']);
  assert.match(network.stderr, /sysctl "net.core.somaxconn" not allowed in host network namespace/);
  const ipc = await at.attempt(['--ipc', 'host', '--sysctl', 'kernel.msgmax=99']);
  assert.match(ipc.stderr, /sysctl "kernel.msgmax" is not allowed in the hosts ipc namespace/);
});

test('--read-only leaves tmpfs, /dev and volumes to write; --tmpfs takes options', async () => {
  const options = ['--read-only', '--tmpfs', '/scratch:rw,size=1m,mode=1770,exec', '-v', '/kept'];
  const script =
    'touch /x; touch /scratch/a /dev/shm/b /kept/c && echo written; dd if=/dev/zero of=/scratch/z bs=1M count=2; stat -c %a /scratch; grep " /scratch " /proc/mounts';
  const seen = await at.inside(options, script);
  assert.match(seen, /\/x: Read-only file system\nwritten\n[\s\S]*No space left[\s\S]*\n1770\n/);
  assert.match(seen, /tmpfs rw,nosuid,nodev,relatime,size=1024k,mode=1770/);
  assert.doesNotMatch(seen, /noexec/);
  assert.match(await at.inside(['--tmpfs', '/scratch'], 'grep " /scratch " /proc/mounts'), /rw,nosuid,nodev,noexec/);
});

test('--shm-size is the size of /dev/shm, else 64 MiB', async () => {
  const size = 'grep " /dev/shm " /proc/mounts';
  assert.match(await at.inside([], size), /size=65536k/);
  assert.match(await at.inside(['--shm-size', '1m'], size), /size=1024k/);
});

test('--user and --group-add go by the names of the image’s files, and by number', async () => {
  assert.equal(
    await at.inside(['-u', 'dock', '--group-add', 'root', '--group-add', '4711'], 'id -u; id -G'),
    '1000\n1000 0 2000 4711',
  );
  assert.equal(await at.inside(['-u', '1234:extra'], 'id -u; id -g; echo $HOME'), '1234\n2000\n/');
  assert.match(
    (await at.attempt(['-u', 'ghost'])).stderr,
    /unable to find user ghost: no matching entries in passwd file/,
  );
  assert.match(
    (await at.attempt(['--group-add', 'ghosts'])).stderr,
    /Unable to find group ghosts: no matching entries in group file/,
  );
});

test('--oom-score-adj is what the kernel goes by', async () => {
  assert.equal(await at.inside(['--oom-score-adj', '321'], 'cat /proc/self/oom_score_adj'), '321');
  const { stderr } = await at.attempt(['--oom-score-adj', '1001']);
  assert.match(stderr, /Invalid value 1001, range for oom score adj is \[-1000, 1000\]/);
});

test('--init puts a small init first, that passes signals on and reaps', async () => {
  assert.match(await at.inside(['--init'], 'tr "\\0" " " </proc/1/cmdline'), /^\/sbin\/docker-init -- sh -c/);
  const script = 'trap "exit 7" TERM; (sleep 0 &); while :; do sleep 0.05; done';
  await docker('run', '-d', '--name', 'with-init', '--init', 'busybox', 'sh', '-c', script);
  await docker('stop', '-t', '5', 'with-init');
  assert.equal(await at.inspect('with-init', '{{.State.ExitCode}}'), '7');
});

test('--init is left out where the pids are somebody else’s', async () => {
  const seen = await at.inside(['--init', '--pid', 'host'], 'readlink /proc/self/ns/pid; ls /sbin/docker-init');
  assert.match(seen, /No such file/);
});

test('--stop-signal is what stop sends first; one that is none is refused', async () => {
  const script = 'trap "exit 9" USR1; while :; do sleep 0.05; done';
  await docker('run', '-d', '--name', 'signalled', '--stop-signal', 'USR1', 'busybox', 'sh', '-c', script);
  await docker('stop', '-t', '5', 'signalled');
  assert.equal(await at.inspect('signalled', '{{.State.ExitCode}}'), '9');
  const { code, stderr } = await at.attempt(['--stop-signal', 'NOPE']);
  assert.equal(code, 125);
  assert.match(stderr, /invalid signal: NOPE/i);
});

test('--workdir is made when the image lacks it; a file there, or a relative path, is refused', async () => {
  assert.equal(await at.inside(['-w', '/made/for/this'], 'pwd; stat -c %a:%u .'), '/made/for/this\n755:0');
  assert.match((await at.attempt(['-w', '/etc/passwd'])).stderr, /not a directory/);
  assert.match(
    (await at.attempt(['-w', 'relative'])).stderr,
    /the working directory 'relative' is invalid, it needs to be an absolute path/,
  );
});

for (const runtime of ['crun', 'runc']) {
  test(`--runtime ${runtime}: confined as asked, exec, limits, its exit code`, async () => {
    const name = `by-${runtime}`;
    const options = [
      '--runtime',
      runtime,
      '--memory',
      '32m',
      '--cap-drop',
      'ALL',
      '--read-only',
      '--ulimit',
      'nofile=99',
    ];
    await at.running(name, ...options);
    assert.equal(await at.inspect(name, '{{.HostConfig.Runtime}}'), runtime);
    const script =
      'cat /sys/fs/cgroup/memory/memory.limit_in_bytes; ulimit -n; grep -E "^(CapBnd|Seccomp):" /proc/self/status; touch /x; exit 5';
    const { code, stdout, stderr } = await at.engine.docker('exec', name, 'sh', '-c', script);
    assert.deepEqual([code, stdout], [5, `33554432\n99\nCapBnd:\t0000000000000000\nSeccomp:\t2\n`]);
    assert.match(stderr, /Read-only file system/);
    await docker('rm', '-f', name);
    const seccomp = ['--runtime', runtime, '--security-opt', 'seccomp=unconfined'];
    assert.equal(await at.inside(seccomp, 'grep ^Seccomp: /proc/self/status'), 'Seccomp:\t0');
    assert.equal(
      (await at.engine.docker('run', '--rm', '--runtime', runtime, 'busybox', 'sh', '-c', 'exit 3')).code,
      3,
    );
  });
}

test('a runtime that nobody knows is refused in Docker’s words', async () => {
  const { code, stderr } = await at.attempt(['--runtime', 'nonesuch']);
  assert.equal(code, 125);
  assert.match(stderr, /unknown or invalid runtime name: nonesuch/);
});
