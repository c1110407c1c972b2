import assert from 'node:assert/strict';
import { cpus } from 'node:os';
import { after, before, suite, test } from 'node:test';
import { bootEngine, type Engine } from '../engine.ts';
import { importBusybox } from '../images.ts';
import { nothing } from '../machine.ts';
import { ask } from './ask.ts';

let engine: Engine;
before(async () => {
  engine = await bootEngine();
  await importBusybox(engine);
});
after(async () => {
  await engine.dispose();
  assert.deepEqual(engine.state(), nothing);
});

const create = (config: object, host: object = {}) =>
  ask(engine, 'POST', '/v1.51/containers/create', JSON.stringify({ Image: 'busybox', ...config, HostConfig: host }));

const MiB = 1 << 20;
const cores = cpus().length;

suite('what cannot be is refused at create with 400, in Docker’s words', () => {
  for (const [what, host, message] of [
    ['negative memory', { Memory: -1 }, 'Minimum memory limit allowed is 6MB'],
    ['memory below 6 MiB', { Memory: 6 * MiB - 1 }, 'Minimum memory limit allowed is 6MB'],
    [
      'swap below memory',
      { Memory: 64 * MiB, MemorySwap: 32 * MiB },
      'Minimum memoryswap limit should be larger than memory limit, see usage',
    ],
    [
      'swap without memory',
      { MemorySwap: 64 * MiB },
      'You should always set the Memory limit when using Memoryswap limit, see usage',
    ],
    ['a small reservation', { MemoryReservation: 1 }, 'Minimum memory reservation allowed is 6MB'],
    [
      'a reservation above the limit',
      { Memory: 64 * MiB, MemoryReservation: 65 * MiB },
      'Minimum memory limit can not be less than memory reservation limit, see usage',
    ],
    ['swappiness 101', { MemorySwappiness: 101 }, 'Invalid value: 101, valid memory swappiness range is 0-100'],
    [
      'negative CPUs',
      { NanoCpus: -1 },
      `range of CPUs is from 0.01 to ${cores}.00, as there are only ${cores} CPUs available`,
    ],
    [
      'a million CPUs',
      { NanoCpus: 1e15 },
      `range of CPUs is from 0.01 to ${cores}.00, as there are only ${cores} CPUs available`,
    ],
    [
      'CPUs and a quota',
      { NanoCpus: 1e9, CpuQuota: 5000 },
      'Conflicting options: Nano CPUs and CPU Quota cannot both be set',
    ],
    [
      'a short period',
      { CpuPeriod: 999 },
      'CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)',
    ],
    ['a small quota', { CpuQuota: 999 }, 'CPU cfs quota can not be less than 1ms (i.e. 1000)'],
    ['negative shares', { CpuShares: -7 }, 'invalid CPU shares (-7): value must be a positive integer'],
    ['a set that is none', { CpusetCpus: '0-' }, /^Invalid value 0- for cpuset cpus/],
    ['a set backwards', { CpusetCpus: '1-0' }, /^Invalid value 1-0 for cpuset cpus/],
    [
      'CPUs that are not there',
      { CpusetCpus: '0,4000' },
      /^Requested CPUs are not available - requested 0,4000, available: /,
    ],
    [
      'nodes that are not there',
      { CpusetMems: '77' },
      /^Requested memory nodes are not available - requested 77, available: /,
    ],
    ['a light weight', { BlkioWeight: 9 }, /Range of blkio weight is from 10 to 1000|^$/],
    ['an unknown capability', { CapAdd: ['NET_ADMIN', 'NOPE'] }, 'invalid CapAdd: unknown capability: "CAP_NOPE"'],
    ['an unknown capability to drop', { CapDrop: ['x'.repeat(3)] }, 'invalid CapDrop: unknown capability: "CAP_XXX"'],
    [
      'a sysctl of the host',
      { Sysctls: { 'kernel.panic': '1' } },
      'sysctl "kernel.panic" is not in a separate kernel namespace',
    ],
    [
      'a sysctl of the host’s network',
      { Sysctls: { 'net.core.somaxconn': '1' }, NetworkMode: 'host' },
      'sysctl "net.core.somaxconn" not allowed in host network namespace',
    ],
    ['negative shared memory', { ShmSize: -1 }, 'SHM size can not be less than 0'],
    ['an OOM score', { OomScoreAdj: 1001 }, 'Invalid value 1001, range for oom score adj is [-1000, 1000]'],
    ['an IPC mode', { IpcMode: 'nonsense' }, 'invalid IPC mode: nonsense'],
    ['a PID mode', { PidMode: 'container:' }, 'invalid PID mode: container:'],
    ['a UTS mode', { UTSMode: 'private' }, 'invalid UTS mode: private'],
    ['a cgroup namespace mode', { CgroupnsMode: 'what' }, 'invalid cgroup namespace mode: what'],
    [
      'the network of nobody',
      { NetworkMode: 'container:' },
      'invalid network mode: invalid container format container:<name|id>',
    ],
    [
      'ports with another’s network',
      { NetworkMode: 'container:x', PortBindings: { '80/tcp': [{ HostPort: '' }] } },
      'conflicting options: port publishing and the container type network mode',
    ],
    ['an isolation of Windows', { Isolation: 'hyperv' }, "invalid isolation (hyperv): linux only supports 'default'"],
    [
      'a bandwidth of Windows',
      { IOMaximumBandwidth: 1 },
      'invalid option: QoS maximum bandwidth configuration is not supported on linux',
    ],
    ['a security option', { SecurityOpt: ['nonsense'] }, 'invalid --security-opt 1: "nonsense"'],
    ['a security option of no kind', { SecurityOpt: ['a=b'] }, 'invalid --security-opt 2: "a=b"'],
    [
      'a truth that is none',
      { SecurityOpt: ['no-new-privileges=maybe'] },
      'invalid --security-opt 2: "no-new-privileges=maybe"',
    ],
    ['a device rule', { DeviceCgroupRules: ['all'] }, "invalid device cgroup rule format: 'all'"],
    ['an unknown ulimit', { Ulimits: [{ Name: 'nonsense', Soft: 1, Hard: 1 }] }, 'invalid ulimit type: nonsense'],
    [
      'a ulimit upside down',
      { Ulimits: [{ Name: 'nofile', Soft: 2, Hard: 1 }] },
      'ulimit soft limit must be less than or equal to hard limit: 2 > 1',
    ],
    ['an unknown runtime', { Runtime: 'nonesuch' }, 'unknown or invalid runtime name: nonesuch'],
    ['a restart policy', { RestartPolicy: { Name: 'sometimes' } }, /invalid restart policy/],
  ] as [string, object, string | RegExp][]) {
    test(what, async () => {
      const answer = await create({}, host);
      // Where the kernel has no weights the warning comes first.
      if (answer.status === 201 && message instanceof RegExp && message.test('')) return;
      assert.equal(answer.status, 400, answer.body);
      if (typeof message === 'string') assert.equal(answer.message, message);
      else assert.match(answer.message, message);
    });
  }
});

suite('wrong types are 400 and name the field', () => {
  for (const [field, config, host] of [
    ['Tty', { Tty: 'yes' }, {}],
    ['Env', { Env: 'A=1' }, {}],
    ['Cmd', { Cmd: [1] }, {}],
    ['Labels', { Labels: ['a'] }, {}],
    ['ExposedPorts', { ExposedPorts: '80' }, {}],
    ['StopTimeout', { StopTimeout: 'soon' }, {}],
    ['Memory', {}, { Memory: '64m' }],
    ['NanoCpus', {}, { NanoCpus: 1e30 }],
    ['NanoCpus', {}, { NanoCpus: 0.5 }],
    ['Binds', {}, { Binds: '/a:/b' }],
    ['Sysctls', {}, { Sysctls: { a: 1 } }],
    ['Ulimits', {}, { Ulimits: [7] }],
    ['Devices', {}, { Devices: {} }],
    ['BlkioDeviceReadBps', {}, { BlkioDeviceReadBps: [{ Path: '/dev/null', Rate: -1 }] }],
    ['RestartPolicy', {}, { RestartPolicy: 'always' }],
    ['Privileged', {}, { Privileged: 1 }],
  ] as [string, object, object][]) {
    test(`${field}: ${JSON.stringify({ ...config, ...host })}`, async () => {
      const answer = await create(config, host);
      assert.equal(answer.status, 400, answer.body);
      assert.match(answer.message, new RegExp(field));
    });
  }
});

suite('absurd sizes do no harm', () => {
  test('ten thousand published ports are a container', async () => {
    const ports = Array.from({ length: 10_000 }, (_, n) => [`${n + 1}/tcp`, [{ HostPort: '' }]]);
    const bindings = Object.fromEntries(ports);
    const answer = await create({}, { PortBindings: bindings });
    assert.equal(answer.status, 201, answer.message);
    const { Id } = JSON.parse(answer.body) as { Id: string };
    assert.equal((await ask(engine, 'DELETE', `/containers/${Id}`)).status, 204);
  });

  test('a port out of range is refused', async () => {
    assert.equal((await create({}, { PortBindings: { '70000/tcp': [{}] } })).status, 400);
    assert.equal((await create({ ExposedPorts: { '0-99999/tcp': {} } })).status, 400);
  });

  test('a name of a megabyte is refused', async () => {
    const answer = await ask(engine, 'POST', `/containers/create?name=${'x'.repeat(MiB)}`, '{"Image":"busybox"}');
    assert.equal(answer.status, 400);
    assert.match(answer.message, /^Invalid container name \(x+…\), only \[a-zA-Z0-9\]\[a-zA-Z0-9_.-\] are allowed$/);
  });

  for (const [field, config, host] of [
    ['Hostname', { Hostname: 'h'.repeat(MiB) }, {}],
    ['User', { WorkingDir: 'w'.repeat(MiB) }, {}],
    ['CapAdd', {}, { CapAdd: ['C'.repeat(MiB)] }],
    ['Sysctls', {}, { Sysctls: { ['s'.repeat(MiB)]: '1' } }],
    ['Runtime', {}, { Runtime: 'r'.repeat(MiB) }],
    ['SecurityOpt', {}, { SecurityOpt: ['o'.repeat(MiB)] }],
  ] as [string, object, object][]) {
    test(`a ${field} of a megabyte is refused, and the refusal is readable`, async () => {
      const answer = await create(config, host);
      assert.equal(answer.status, 400, answer.body.slice(0, 300));
      assert.ok(answer.message.length > 10);
    });
  }

  test('an environment of a megabyte is kept, a body without end is not', async () => {
    const answer = await create({ Env: [`BIG=${'x'.repeat(MiB)}`] });
    assert.equal(answer.status, 201, answer.message);
    const { Id } = JSON.parse(answer.body) as { Id: string };
    await ask(engine, 'DELETE', `/containers/${Id}`);
    const nested = await ask(engine, 'POST', '/containers/create', `${'['.repeat(100_000)}`);
    assert.equal(nested.status, 400);
  });

  test('shared memory of an exbibyte is the kernel’s to refuse, and leaves nothing', async () => {
    const { code } = await engine.docker('run', '--rm', '--shm-size', '1000000t', 'busybox', 'true');
    assert.ok(code === 0 || code >= 125);
  });

  test('a hostname that the kernel would not take is refused', async () => {
    const answer = await create({ Hostname: 'h'.repeat(65) });
    assert.equal(answer.status, 400);
    assert.match(answer.message, /^hostname "h{65}" is too long \(maximum 64 bytes\)$/);
  });
});

test('a user that the image has not is refused at the start, and the container stays as it was', async () => {
  const { body } = await create({ User: 'ghost' });
  const { Id } = JSON.parse(body) as { Id: string };
  const started = await ask(engine, 'POST', `/containers/${Id}/start`);
  assert.equal(started.status, 400);
  assert.match(started.message, /unable to find user ghost: no matching entries in passwd file/);
  const { stdout } = await engine.docker('inspect', '-f', '{{.State.Status}}', Id);
  assert.equal(stdout, 'created\n');
  await ask(engine, 'DELETE', `/containers/${Id}`);
});

test('unknown fields are ignored', async () => {
  const answer = await create({ NoSuchField: { deep: [1] } }, { AlsoUnknown: true });
  assert.equal(answer.status, 201);
});

test('what the kernel cannot do is said in the answer’s warnings', async () => {
  const answer = await create({}, { OomKillDisable: true, NetworkMode: 'host', PortBindings: { '80/tcp': [{}] } });
  const { Warnings } = JSON.parse(answer.body) as { Warnings: string[] };
  assert.ok(Warnings.some((one) => /OOM killer is disabled|does not support OomKillDisable/.test(one)));
  assert.ok(Warnings.includes('Published ports are discarded when using host network mode'));
});

test('after all of it the engine runs containers as before', async () => {
  assert.equal(await engine.dockerWith(undefined, 'run', '--rm', 'busybox', 'echo', 'fine'), 'fine\n');
});
