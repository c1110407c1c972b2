import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { bootEngine, type Engine, until } from '../engine.ts';
import { ask } from '../engine-api/ask.ts';
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

/** Where version 1 of cgroups has a process, by controller. */
function cgroupsOf(pid: number): Map<string, string> {
  const lines = readFileSync(`/proc/${pid}/cgroup`, 'utf8').trim().split('\n');
  return new Map(
    lines.flatMap((line) => {
      const [, controllers = '', path = ''] = line.split(':');
      return controllers.split(',').map((name) => [name, `/sys/fs/cgroup/${controllers}${path}`] as const);
    }),
  );
}

const MiB = 1 << 20;

test('update changes each limit of what runs at once, as the kernel has it', async () => {
  const start = ['--memory', '64m', '--memory-swap', '96m', '--cpu-period', '100000', '--cpu-quota', '50000'];
  await docker('run', '-d', '--name', 'limited', ...start, 'busybox', 'sleep', '1000');
  const cgroups = cgroupsOf(Number(await inspect('{{.State.Pid}}', 'limited')));
  const read = (controller: string, file: string) => readFileSync(`${cgroups.get(controller)}/${file}`, 'utf8').trim();
  for (const [flags, shown, controller, file, value] of [
    [['--memory', '80m'], 'Memory', 'memory', 'memory.limit_in_bytes', 80 * MiB],
    [['--memory-reservation', '32m'], 'MemoryReservation', 'memory', 'memory.soft_limit_in_bytes', 32 * MiB],
    [['--memory', '128m', '--memory-swap', '256m'], 'Memory', 'memory', 'memory.limit_in_bytes', 128 * MiB],
    [['--memory-swap', '-1'], 'MemorySwap', 'memory', 'memory.limit_in_bytes', -1],
    [['--cpu-shares', '512'], 'CpuShares', 'cpu', 'cpu.shares', 512],
    [['--cpu-period', '50000', '--cpu-quota', '10000'], 'CpuQuota', 'cpu', 'cpu.cfs_quota_us', 10_000],
    [['--cpu-period', '60000'], 'CpuPeriod', 'cpu', 'cpu.cfs_period_us', 60_000],
    [['--cpuset-cpus', '0'], 'CpusetCpus', 'cpuset', 'cpuset.cpus', 0],
    [['--cpuset-mems', '0'], 'CpusetMems', 'cpuset', 'cpuset.mems', 0],
    [['--pids-limit', '40'], 'PidsLimit', 'pids', 'pids.max', 40],
    [['--pids-limit', '-1'], 'PidsLimit', 'pids', 'pids.max', 'max'],
    [['--blkio-weight', '300'], 'BlkioWeight', 'blkio', 'blkio.bfq.weight', 300],
  ] as [string[], string, string, string, number | string][]) {
    // What this kernel lacks is refused or warned of elsewhere.
    if (!existsSync(`${cgroups.get(controller)}/${file}`)) continue;
    await docker('update', ...flags, 'limited');
    const kept = value === 'max' ? '-1' : String(value);
    assert.equal(await inspect(`{{.HostConfig.${shown}}}`, 'limited'), kept, flags.join(' '));
    if (value !== -1) assert.equal(read(controller, file), String(value), flags.join(' '));
  }
  await docker('rm', '-f', 'limited');
});

test('update of CPUs, of several at once, and of what does not run; what contradicts is refused and changes nothing', async () => {
  await docker('run', '-d', '--name', 'one', '--cpus', '0.5', 'busybox', 'sleep', '1000');
  const id = (await docker('create', '--name', 'two', 'busybox', 'sleep', '1000')).trim();
  assert.equal(await docker('update', '--cpus', '0.3', '--pids-limit', '30', 'one', 'two'), 'one\ntwo\n');
  const cpu = cgroupsOf(Number(await inspect('{{.State.Pid}}', 'one'))).get('cpu');
  assert.equal(readFileSync(`${cpu}/cpu.cfs_quota_us`, 'utf8'), '30000\n');
  await docker('start', 'two');
  assert.equal(await docker('exec', 'two', 'cat', '/sys/fs/cgroup/pids/pids.max'), '30\n');
  const refused = await engine.docker('update', '--cpu-quota', '20000', 'two');
  const why = 'Conflicting options: CPU Quota cannot be updated as NanoCPUs has already been set';
  assert.equal(refused.stderr.trim(), `Error response from daemon: Cannot update container ${id}: ${why}`);
  assert.equal(await inspect('{{.HostConfig.CpuQuota}} {{.HostConfig.NanoCpus}}', 'two'), '0 300000000');
  assert.match(
    (await engine.docker('update', '--cpuset-cpus', '4000', 'two')).stderr,
    /Requested CPUs are not available/,
  );
  await docker('run', '-d', '--rm', '--name', 'brief', 'busybox', 'sleep', '1000');
  const policy = await engine.docker('update', '--restart', 'always', 'brief');
  assert.match(policy.stderr, /Restart policy cannot be updated because AutoRemove is enabled for the container/);
  await docker('rm', '-f', 'one', 'two', 'brief');
});

interface Stats {
  name: string;
  id: string;
  read: string;
  preread: string;
  pids_stats: { current: number; limit: number };
  blkio_stats: { io_service_bytes_recursive: { op: string; value: number }[] | null };
  cpu_stats: { cpu_usage: { total_usage: number }; system_cpu_usage: number; online_cpus: number };
  precpu_stats: { cpu_usage: { total_usage: number } };
  memory_stats: { usage: number; limit: number; stats: Record<string, number> };
  networks?: Record<string, { rx_bytes: number; tx_bytes: number }>;
}

test('stats have CPU, memory, processes, blocks and network; a stream gives one a second, one-shot no sample before', async () => {
  const work = 'dd if=/dev/zero of=/file bs=1M count=2 conv=fsync 2>/dev/null; sleep 1000 & wait';
  const id = (
    await docker('run', '-d', '--name', 'used', '--memory', '64m', '--pids-limit', '77', 'busybox', 'sh', '-c', work)
  ).trim();
  const stats = async (query: string) =>
    JSON.parse((await ask(engine, 'GET', `/containers/used/stats?${query}`)).body) as Stats;
  await until(async () => (await stats('stream=0&one-shot=1')).pids_stats.current === 2, 10_000);
  const once = await stats('stream=0&one-shot=1');
  assert.deepEqual([once.name, once.id, once.preread], ['/used', id, '0001-01-01T00:00:00Z']);
  assert.equal(once.precpu_stats.cpu_usage.total_usage, 0);
  const two = await stats('stream=false');
  assert.ok(two.preread < two.read && two.precpu_stats.cpu_usage.total_usage > 0);
  assert.deepEqual([two.pids_stats, two.memory_stats.limit], [{ current: 2, limit: 77 }, 64 * MiB]);
  assert.ok(two.memory_stats.usage > 0 && two.memory_stats.usage < 64 * MiB);
  assert.ok('total_inactive_file' in two.memory_stats.stats || 'inactive_file' in two.memory_stats.stats);
  assert.ok(two.cpu_stats.system_cpu_usage > 0 && two.cpu_stats.online_cpus >= 1);
  assert.ok((two.networks?.eth0?.rx_bytes ?? -1) >= 0);
  assert.ok(
    two.blkio_stats.io_service_bytes_recursive === null || Array.isArray(two.blkio_stats.io_service_bytes_recursive),
  );
  const table = await docker(
    'stats',
    '--no-stream',
    '--all',
    '--format',
    '{{.Name}} {{.PIDs}} {{.NetIO}} {{.BlockIO}}',
  );
  assert.match(table, /^used 2 \S+ \/ \S+ \S+ \/ \S+$/m);
  await docker('stop', '-t', '0', 'used');
  assert.equal((await stats('stream=0')).pids_stats.current, undefined);
  assert.match(
    await docker('stats', '--no-stream', '-a', '--format', '{{.Name}} {{.CPUPerc}} {{.MemUsage}}'),
    /^used 0.00% 0B \/ 0B$/m,
  );
  assert.equal(await docker('stats', '--no-stream', '--format', '{{.Name}}'), '');
  await docker('rm', 'used');
});

test('top takes what ps takes, and shows the container’s processes alone', async () => {
  await docker('run', '-d', '--name', 'busy', 'busybox', 'sh', '-c', 'sleep 994 & exec sleep 993');
  const rows = async (...args: string[]) => {
    const [head = '', ...lines] = (await docker('top', 'busy', ...args)).trimEnd().split('\n');
    return { head: head.trim().split(/\s+/), lines };
  };
  await until(async () => (await rows()).lines.length === 2, 10_000);
  assert.deepEqual((await rows('-o', 'pid,ppid,nice,wchan:20,args')).head, ['PID', 'PPID', 'NI', 'WCHAN', 'COMMAND']);
  assert.deepEqual((await rows('-eo', 'pid,psr,comm', '--sort=-pid')).lines.length, 2);
  const forest = await rows('axf');
  assert.ok(forest.lines.length === 2 && forest.lines.every((line) => /sleep 99[34]/.test(line)), `${forest.lines}`);
  assert.deepEqual((await rows('-o', 'user=ME', '-o', 'pid')).head, ['ME', 'PID']);
  assert.match((await rows('aux')).head.join(' '), /^USER PID %CPU %MEM VSZ RSS TTY STAT START TIME COMMAND$/);
  const noPid = await engine.docker('top', 'busy', '-o', 'comm,args');
  assert.match(noPid.stderr, /Couldn't find PID field in ps output/);
  await docker('rm', '-f', 'busy');
});

test('diff tells what was added, changed and deleted; prune keeps what a filter spares', async () => {
  const script = 'echo x >/tmp/new; echo x >>/etc/passwd; rm /etc/group; mkdir /dir';
  await docker('run', '--name', 'changed', '--label', 'keep=no', 'busybox', 'sh', '-c', script);
  const told = (await docker('diff', 'changed')).trim().split('\n').sort();
  assert.deepEqual(told, ['A /dir', 'A /tmp/new', 'C /etc', 'C /etc/passwd', 'C /tmp', 'D /etc/group']);
  await docker('create', '--name', 'kept', '--label', 'keep=yes', 'busybox', 'true');
  await docker('run', '-d', '--name', 'living', 'busybox', 'sleep', '1000');
  await docker('container', 'prune', '-f', '--filter', 'label!=keep=yes', '--filter', 'until=10m');
  assert.equal(await docker('ps', '-a', '--format', '{{.Names}}'), 'living\nkept\nchanged\n');
  const id = await inspect('{{.Id}}', 'changed');
  assert.match(
    await docker('container', 'prune', '-f', '--filter', 'label=keep=no'),
    new RegExp(`^Deleted Containers:\n${id}\n`),
  );
  assert.equal(await docker('ps', '-a', '--format', '{{.Names}}'), 'living\nkept\n');
  await docker('rm', '-f', 'living', 'kept');
});
