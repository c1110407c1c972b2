import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { bootEngine, type Engine, until } from '../engine.ts';
import { importBusybox } from '../images.ts';
import { nothing } from '../machine.ts';

let engine: Engine;
const docker = (...args: string[]) => engine.dockerWith(undefined, ...args);
const inspect = async (format: string, name: string) => (await docker('inspect', '-f', format, name)).trim();

before(async () => {
  engine = await bootEngine();
  await importBusybox(engine);
});
after(async () => {
  await engine.dispose();
  assert.deepEqual(engine.state(), nothing);
});

test('top lists the processes of a container as the host has them', async () => {
  await docker('run', '-d', '--name', 'busy', 'busybox', 'sh', '-c', 'sleep 996 & exec sleep 995');
  await until(async () => (await docker('top', 'busy')).includes('sleep 995'), 10_000);
  const [titles, ...rows] = (await docker('top', 'busy')).trim().split('\n');
  assert.deepEqual(titles?.split(/\s+/), ['UID', 'PID', 'PPID', 'C', 'STIME', 'TTY', 'TIME', 'CMD']);
  assert.deepEqual(rows.map((row) => row.split(/\s+/).slice(7).join(' ')).sort(), ['sleep 995', 'sleep 996']);
  const pids = (await docker('top', 'busy', '-o', 'pid,cmd')).match(/^(\d+)\s+sleep 995$/m);
  assert.equal(pids?.[1], await inspect('{{.State.Pid}}', 'busy'));
  await docker('rm', '-f', 'busy');
  assert.match((await engine.docker('top', 'busy')).stderr, /No such container: busy/);
});

test('stats show memory with its limit, processes, and CPU by the sample before', async () => {
  const spin = 'sleep 994 & while :; do :; done';
  await docker('run', '-d', '--name', 'used', '--memory', '64m', '--cpus', '0.2', 'busybox', 'sh', '-c', spin);
  const format = '{{.Name}} {{.PIDs}} {{.MemUsage}} {{.CPUPerc}}';
  const [name, pids, , , limit, cpu] = (await docker('stats', '--no-stream', '--format', format, 'used'))
    .trim()
    .split(' ');
  assert.deepEqual([name, pids, limit], ['used', '2', '64MiB']);
  const percent = Number.parseFloat(cpu ?? '');
  assert.ok(percent > 2 && percent < 40, `${cpu}`);
  await docker('rm', '-f', 'used');
});

test('update changes the limits of a running container at once, and they outlive the engine', async () => {
  await docker('run', '-d', '--name', 'limited', '--memory', '64m', 'busybox', 'sleep', '1000');
  const flags = ['--memory', '32m', '--memory-swap', '48m', '--cpus', '0.5', '--pids-limit', '50'];
  await docker('update', ...flags, '--restart', 'on-failure:3', 'limited');
  const files = ['memory/memory.limit_in_bytes', 'cpu/cpu.cfs_quota_us', 'pids/pids.max'];
  const read = () => docker('exec', 'limited', 'cat', ...files.map((file) => `/sys/fs/cgroup/${file}`));
  assert.equal(await read(), `${32 * 1024 * 1024}\n50000\n50\n`);
  await engine.stop();
  await engine.start();
  const shown =
    '{{.HostConfig.Memory}} {{.HostConfig.NanoCpus}} {{.HostConfig.PidsLimit}} {{.HostConfig.RestartPolicy}}';
  const kept = `${32 * 1024 * 1024} 500000000 50 map[MaximumRetryCount:3 Name:on-failure]`;
  assert.equal(await inspect(shown, 'limited').then((text) => text.replace(/[{}]/g, '')), kept);
  await docker('restart', '-t', '0', 'limited');
  assert.equal(await read(), `${32 * 1024 * 1024}\n50000\n50\n`);
  const refused = await engine.docker('update', '--memory', '1m', 'limited');
  assert.match(refused.stderr, /Minimum memory limit allowed is 6MB/);
  await docker('rm', '-f', 'limited');
});

test('a policy that update gives holds from the next end on', async () => {
  await docker('run', '-d', '--name', 'again', 'busybox', 'sleep', '1000');
  await docker('update', '--restart', 'always', 'again');
  process.kill(Number(await inspect('{{.State.Pid}}', 'again')), 'SIGKILL');
  await until(async () => (await inspect('{{.RestartCount}} {{.State.Status}}', 'again')) === '1 running', 10_000);
  await docker('rm', '-f', 'again');
});

test('pause stops all processes, unpause lets them go on; rename and restart keep the container', async () => {
  const count = 'i=0; while :; do i=$((i+1)); echo $i >/tmp/count; sleep 0.02; done';
  const id = (await docker('run', '-d', '--name', 'counter', 'busybox', 'sh', '-c', count)).trim();
  const counted = () => docker('exec', 'counter', 'cat', '/tmp/count');
  await until(async () => (await engine.docker('exec', 'counter', 'cat', '/tmp/count')).code === 0, 10_000);
  await docker('pause', 'counter');
  assert.equal(await inspect('{{.State.Status}} {{.State.Paused}}', 'counter'), 'paused true');
  await docker('unpause', 'counter');
  const before = Number(await counted());
  await until(async () => Number(await counted()) > before, 10_000);
  await docker('rename', 'counter', 'renamed');
  const pid = await inspect('{{.State.Pid}}', 'renamed');
  await docker('restart', '-t', '0', 'renamed');
  assert.equal(await inspect('{{.Id}}', 'renamed'), id);
  assert.notEqual(await inspect('{{.State.Pid}}', 'renamed'), pid);
  assert.match(await docker('diff', 'renamed'), /^A \/tmp\/count$/m);
  await docker('rm', '-f', 'renamed');
});

test('container prune removes what does not run, by label and age', async () => {
  await docker('run', '-d', '--name', 'runs', 'busybox', 'sleep', '1000');
  await docker('run', '--name', 'ended', 'busybox', 'sh', '-c', 'head -c 100000 /dev/zero >/file');
  await docker('create', '--name', 'kept', '--label', 'keep', 'busybox', 'true');
  assert.match(await docker('container', 'prune', '-f', '--filter', 'until=1h'), /reclaimed space: 0B/);
  const out = await docker('container', 'prune', '-f', '--filter', 'label!=keep');
  assert.match(out, /Deleted Containers:\n[0-9a-f]{64}\n\nTotal reclaimed space: 1\d\dkB/);
  assert.deepEqual((await docker('ps', '-a', '--format', '{{.Names}}')).trim().split('\n').sort(), ['kept', 'runs']);
  await docker('rm', '-f', 'kept', 'runs');
});
