import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, rmdirSync } from 'node:fs';
import { suite, test } from 'node:test';
import { engineForTests } from './inside.ts';

const at = engineForTests();
const docker = (...args: string[]) => at.engine.dockerWith(undefined, ...args);
const isVersion1 = existsSync('/sys/fs/cgroup/memory/memory.limit_in_bytes');
const disk = readdirSync('/sys/block').find((name) => /^(vd|sd|nvme|xvd)/.test(name) && existsSync(`/dev/${name}`));

suite('limits, as the kernel has them', { skip: !isVersion1 && 'reads version 1' }, () => {
  for (const [options, files] of [
    [
      ['--memory', '64m'],
      { 'memory/memory.limit_in_bytes': '67108864', 'memory/memory.memsw.limit_in_bytes': '134217728' },
    ],
    [['--memory', '64m', '--memory-swap', '80m'], { 'memory/memory.memsw.limit_in_bytes': '83886080' }],
    [['--memory', '64m', '--memory-swap', '-1'], { 'memory/memory.memsw.limit_in_bytes': '9223372036854771712' }],
    [['--memory', '64m', '--memory-reservation', '32m'], { 'memory/memory.soft_limit_in_bytes': '33554432' }],
    [['--memory', '64m', '--memory-swappiness', '7'], { 'memory/memory.swappiness': '7' }],
    [['--cpus', '0.25'], { 'cpu/cpu.cfs_quota_us': '25000', 'cpu/cpu.cfs_period_us': '100000' }],
    [
      ['--cpu-period', '50000', '--cpu-quota', '20000'],
      { 'cpu/cpu.cfs_quota_us': '20000', 'cpu/cpu.cfs_period_us': '50000' },
    ],
    [['--cpu-shares', '77'], { 'cpu/cpu.shares': '77' }],
    [['--cpuset-cpus', '0', '--cpuset-mems', '0'], { 'cpuset/cpuset.cpus': '0', 'cpuset/cpuset.mems': '0' }],
    [['--pids-limit', '33'], { 'pids/pids.max': '33' }],
    [['--pids-limit', '-1'], { 'pids/pids.max': 'max' }],
  ] as [string[], Record<string, string>][]) {
    test(options.join(' '), async () => {
      const paths = Object.keys(files).map((file) => `/sys/fs/cgroup/${file}`);
      assert.deepEqual((await at.inside(options, `cat ${paths.join(' ')}`)).split('\n'), Object.values(files));
    });
  }

  for (const runtime of ['crun', 'runc']) {
    test(`--device-read-bps and its like, by ${runtime}`, { skip: disk === undefined && 'no disk here' }, async () => {
      const numbers = readFileSync(`/sys/block/${disk}/dev`, 'utf8').trim();
      const limits = { 'read-bps': '1mb', 'write-bps': '2mb', 'read-iops': '30', 'write-iops': '40' };
      const options = Object.entries(limits).flatMap(([name, rate]) => [`--device-${name}`, `/dev/${disk}:${rate}`]);
      const files = ['read_bps', 'write_bps', 'read_iops', 'write_iops'].map(
        (name) => `/sys/fs/cgroup/blkio/blkio.throttle.${name}_device`,
      );
      const rates = [1 << 20, 2 << 20, 30, 40];
      assert.deepEqual(
        (await at.inside(['--runtime', runtime, ...options], `cat ${files.join(' ')}`)).split('\n'),
        rates.map((rate) => `${numbers} ${rate}`),
      );
    });
  }

  test('--device-read-bps of what is not there is refused', async () => {
    const { code, stderr } = await at.attempt(['--device-read-bps', '/dev/no-such-disk:1mb']);
    assert.ok(code >= 125);
    assert.match(stderr, /stat \/dev\/no-such-disk/);
  });

  test('--blkio-weight is set where the kernel weighs, else Docker’s warning says that it is not', async () => {
    const { stdout, stderr } = await at.attempt(['--blkio-weight', '300'], 'cat /sys/fs/cgroup/blkio/blkio.*weight');
    if (existsSync('/sys/fs/cgroup/blkio/blkio.bfq.io_service_bytes')) assert.match(stdout, /^300$/m);
    else
      assert.match(
        stderr,
        /Your kernel does not support Block I\/O weight or the cgroup is not mounted. Weight discarded./,
      );
  });

  test('--cpu-rt-runtime is set where the kernel has real-time groups', async (context) => {
    if (!existsSync('/sys/fs/cgroup/cpu/cpu.rt_runtime_us')) return context.skip('no real-time groups here');
    const options = ['--cpu-rt-runtime', '1000', '--cpu-rt-period', '1000000'];
    assert.equal(await at.inside(options, 'cat /sys/fs/cgroup/cpu/cpu.rt_runtime_us'), '1000');
    const refused = await at.attempt(['--cpu-rt-runtime', '2000000', '--cpu-rt-period', '1000000']);
    assert.match(refused.stderr, /cpu real-time runtime cannot be higher than cpu real-time period/);
  });

  test('--oom-kill-disable keeps the kernel from killing; without a limit there is Docker’s warning', async () => {
    const control = 'head -1 /sys/fs/cgroup/memory/memory.oom_control';
    assert.equal(await at.inside(['--oom-kill-disable', '--memory', '64m'], control), 'oom_kill_disable 1');
    const { stderr } = await at.attempt(['--oom-kill-disable']);
    assert.match(stderr, /OOM killer is disabled for the container, but no memory limit is set/);
  });

  test('--kernel-memory is accepted and has no effect: it has been taken out of the kernel', async () => {
    assert.equal(await at.inside(['--kernel-memory', '64m'], 'echo fine'), 'fine');
  });

  test('--cgroup-parent is where the container’s cgroups are', async () => {
    const parent = `/ls-parent-${process.pid}`;
    const name = await at.running('with-parent', '--cgroup-parent', parent);
    const pid = await at.inspect(name, '{{.State.Pid}}');
    assert.match(readFileSync(`/proc/${pid}/cgroup`, 'utf8'), new RegExp(`:memory:${parent}/${name}$`, 'm'));
    assert.equal(await at.inspect(name, '{{.HostConfig.CgroupParent}}'), parent);
    await docker('rm', '-f', name);
    assert.equal(existsSync(`/sys/fs/cgroup/memory${parent}/${name}`), false);
    // The parent is its user's, as with Docker.
    for (const hierarchy of readdirSync('/sys/fs/cgroup')) {
      const left = `/sys/fs/cgroup/${hierarchy}${parent}`;
      if (existsSync(left)) rmdirSync(left);
    }
  });

  test('--ulimit nproc, memory and pids are enforced, not only written', async () => {
    const forks = 'for i in 1 2 3 4 5 6 7 8 9; do sleep 5 & done';
    assert.match(await at.inside(['--pids-limit', '4'], forks), /can't fork|Resource temporarily unavailable/);
    const eater = "x=$(head -c 100000000 /dev/zero | tr '\\0' x); echo survived";
    const { code } = await at.attempt(['--memory', '16m', '--memory-swap', '16m'], eater);
    assert.equal(code, 137);
  });

  test('inspect tells what was asked for', async () => {
    const options = ['--memory', '64m', '--cpu-shares', '77', '--cpuset-cpus', '0', '--pids-limit', '9'];
    await docker('create', '--name', 'told', ...options, '--device-read-iops', `/dev/${disk}:30`, 'busybox');
    const [{ HostConfig: told }] = JSON.parse(await docker('inspect', 'told'));
    assert.deepEqual(
      [told.Memory, told.MemorySwap, told.CpuShares, told.CpusetCpus, told.PidsLimit, told.BlkioDeviceReadIOps],
      [64 << 20, 128 << 20, 77, '0', 9, [{ Path: `/dev/${disk}`, Rate: 30 }]],
    );
  });
});
