import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { isServiceError } from '../../../kit/errors.ts';
import { capabilityNames } from '../../../kit/linux/capabilities.ts';
import { RLIM_INFINITY } from '../../../kit/linux/resource-limits.ts';
import { ContainerSpec } from '../../../proto/gen/longshore/execdriver/v1/spec.ts';
import { encodeSpec, ociSpecOf, type Surroundings } from './container.ts';
import type { EngineFacts } from './facts.ts';
import type { OciSpec } from './oci.ts';

type Parts = Parameters<typeof ContainerSpec.fromPartial>[0];

const held = capabilityNames.filter((name) => name !== 'CAP_SYS_RESOURCE');

const facts: EngineFacts = {
  machine: 'x86_64',
  kernel: '6.1.0',
  hostname: 'machine',
  capabilities: held,
  limits: new Map([['RLIMIT_NOFILE', { soft: 1024n, hard: 20_000n }]]),
  mostOpenFiles: 1_048_576n,
  oomScoreAdj: 100,
  cgroup2: false,
  countsSwap: true,
  weighsBlockDevices: false,
  weighsByBfq: false,
  appArmor: false,
  selinux: false,
  thermalPaths: ['/sys/devices/system/cpu/cpu0/thermal_throttle'],
};

const around: Surroundings = {
  facts,
  cgroupPath: '/parent/id',
  defaultUlimits: [],
  users: { passwd: 'root:x:0:0::/root:/bin/sh\n', group: undefined },
  initBinary: undefined,
  findInit: (id) => (id === 'other' ? 77 : undefined),
  shm: '',
  idMaps: undefined,
  appArmorProfile: undefined,
};

function translate(parts: Parts = {}, more: Partial<EngineFacts> = {}): Promise<OciSpec> {
  const spec = ContainerSpec.fromPartial({ rootPath: '/root/fs', args: ['sh'], hostname: 'box', ...parts });
  return ociSpecOf(spec, { ...around, facts: { ...facts, ...more } });
}

async function refusal(parts: Parts): Promise<string> {
  const error = await translate(parts).catch((failure: unknown) => failure);
  return isServiceError(error, 'BAD_SPEC') ? `${error.metadata.field}: ${error.message}` : String(error);
}

suite('what a container is given, as Docker gives it', () => {
  test('environment: the image’s PATH keeps the first place, HOME is last', async () => {
    const { process } = await translate({ env: ['A=1', 'PATH=/bin', 'A=2', 'EMPTY=', 'HOSTNAME'], tty: true });
    assert.deepEqual(process.env, ['PATH=/bin', 'TERM=xterm', 'A=2', 'EMPTY=', 'HOME=/root']);
    const plain = await translate();
    assert.deepEqual(plain.process.env, [
      'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
      'HOSTNAME=box',
      'HOME=/root',
    ]);
  });

  const capabilityVectors: [
    string,
    { capAdd?: string[]; capDrop?: string[]; privileged?: boolean },
    (bounding: string[]) => boolean,
  ][] = [
    [
      'the default is fourteen',
      {},
      (set) => set.length === 14 && set.includes('CAP_CHOWN') && !set.includes('CAP_NET_ADMIN'),
    ],
    [
      'one more, with and without prefix',
      { capAdd: ['net_admin', 'CAP_SYS_TIME'] },
      (set) => set.length === 16 && set.includes('CAP_NET_ADMIN'),
    ],
    ['one less', { capDrop: ['CHOWN'] }, (set) => set.length === 13 && !set.includes('CAP_CHOWN')],
    ['none but one', { capDrop: ['ALL'], capAdd: ['CHOWN'] }, (set) => set.join() === 'CAP_CHOWN'],
    ['all but one', { capAdd: ['ALL'], capDrop: ['MKNOD'] }, (set) => set.length === held.length - 1],
    ['privileged: what the engine holds', { privileged: true }, (set) => set.length === held.length],
    ['dropping what the engine lacks', { capDrop: ['SYS_RESOURCE'] }, (set) => set.length === 14],
  ];
  for (const [title, confinement, isRight] of capabilityVectors) {
    test(`capabilities: ${title}`, async () => {
      const { process } = await translate({ confinement });
      assert.ok(isRight(process.capabilities?.bounding ?? []), String(process.capabilities?.bounding));
      assert.deepEqual(process.capabilities?.inheritable, []);
    });
  }

  test('capabilities that the engine lacks, or nobody knows, are refused', async () => {
    assert.match(
      await refusal({ confinement: { capAdd: ['SYS_RESOURCE'] } }),
      /cap_add: invalid capability: .*not available/,
    );
    assert.match(
      await refusal({ confinement: { capDrop: ['NOPE'] } }),
      /cap_drop: invalid capability: unknown .*"CAP_NOPE"/,
    );
  });

  const resourceVectors: [string, NonNullable<Parts>['resources'], object][] = [
    ['nothing asked', {}, {}],
    ['memory brings as much swap', { memory: 64 << 20 }, { memory: { limit: 64 << 20, swap: 128 << 20 } }],
    ['swap without end', { memory: 64 << 20, memorySwap: -1 }, { memory: { limit: 64 << 20, swap: -1 } }],
    ['half a CPU', { nanoCpus: 500_000_000 }, { cpu: { quota: 50_000, period: 100_000 } }],
    ['a share and a set', { cpuShares: 512, cpusetCpus: '0-1' }, { cpu: { shares: 512, cpus: '0-1' } }],
    ['processes without end', { pidsLimit: -1 }, {}],
    ['processes not asked for', { pidsLimit: 0 }, {}],
    ['weights that this host has not', { blkioWeight: 500 }, {}],
  ];
  for (const [title, resources, expected] of resourceVectors) {
    test(`resources: ${title}`, async () => {
      const { devices: _, ...limits } = (await translate({ resources })).linux.resources;
      assert.deepEqual(limits, expected);
    });
  }

  test('resources that contradict themselves are refused', async () => {
    assert.match(await refusal({ resources: { memory: 1000 } }), /Minimum memory limit allowed is 6MB/);
    assert.match(
      await refusal({ resources: { memory: 64 << 20, memorySwap: 32 << 20 } }),
      /memoryswap limit should be larger/,
    );
    assert.match(await refusal({ resources: { nanoCpus: 1, cpuQuota: 5 } }), /Conflicting options/);
  });

  test('limits of processes are clamped to the engine’s, and no limit is written as 64 bits', async () => {
    const spec = await translate({
      rlimits: [
        { name: 'nofile', soft: 50_000n, hard: -1n },
        { name: 'core', soft: -1n, hard: -1n },
      ],
    });
    assert.deepEqual(spec.process.rlimits, [
      { type: 'RLIMIT_NOFILE', soft: 20_000n, hard: 20_000n },
      { type: 'RLIMIT_CORE', soft: RLIM_INFINITY, hard: RLIM_INFINITY },
    ]);
    assert.ok(
      encodeSpec(spec).includes('{"type":"RLIMIT_CORE","soft":18446744073709551615,"hard":18446744073709551615}'),
    );
    assert.match(await refusal({ rlimits: [{ name: 'nofiles', soft: 1n, hard: 1n }] }), /invalid ulimit type: nofiles/);
  });

  test('an engine that may raise limits asks for no more open files than the kernel lets anybody have', async () => {
    const capabilities = [...held, 'CAP_SYS_RESOURCE'];
    const rlimits = [
      { name: 'nofile', soft: 50_000n, hard: -1n },
      { name: 'nproc', soft: -1n, hard: -1n },
    ];
    assert.deepEqual((await translate({ rlimits }, { capabilities })).process.rlimits, [
      { type: 'RLIMIT_NOFILE', soft: 50_000n, hard: 1_048_576n },
      { type: 'RLIMIT_NPROC', soft: RLIM_INFINITY, hard: RLIM_INFINITY },
    ]);
  });

  test('the score for being killed is not below the engine’s own', async () => {
    assert.equal((await translate()).process.oomScoreAdj, 100);
    assert.equal((await translate({ resources: { oomScoreAdj: 500 } })).process.oomScoreAdj, 500);
    const capable = { capabilities: [...held, 'CAP_SYS_RESOURCE'] };
    assert.equal((await translate({ resources: { oomScoreAdj: -500 } }, capable)).process.oomScoreAdj, -500);
  });

  test('the filter follows the capabilities', async () => {
    const rules = async (confinement: NonNullable<Parts>['confinement']) =>
      (await translate({ confinement: confinement ?? {} })).linux.seccomp?.syscalls ?? [];
    const allowed = (list: Awaited<ReturnType<typeof rules>>, name: string) =>
      list.some((rule) => rule.names.includes(name) && rule.action === 'SCMP_ACT_ALLOW' && rule.args === undefined);
    const plain = await rules({});
    assert.ok(
      allowed(plain, 'openat') && allowed(plain, 'ptrace') && allowed(plain, 'arch_prctl') && allowed(plain, 'chroot'),
    );
    assert.ok(!allowed(plain, 'mount') && !allowed(plain, 'clone') && !allowed(plain, 'riscv_flush_icache'));
    assert.ok(plain.some((rule) => rule.names.includes('clone3') && rule.errnoRet === 38));
    const admin = await rules({ capAdd: ['SYS_ADMIN'] });
    assert.ok(allowed(admin, 'mount') && allowed(admin, 'clone'));
    assert.ok(!admin.some((rule) => rule.names.includes('clone3') && rule.errnoRet === 38));
    assert.deepEqual((await translate()).linux.seccomp?.architectures, [
      'SCMP_ARCH_X86_64',
      'SCMP_ARCH_X86',
      'SCMP_ARCH_X32',
    ]);
    assert.equal((await translate({ confinement: { privileged: true } })).linux.seccomp, undefined);
  });

  test('what the user mounts takes the place of what is usual, outer mounts come first', async () => {
    const { mounts } = await translate({
      mounts: [
        { source: '/a', destination: '/data/inner', type: 'bind', propagation: '' },
        { source: '/b', destination: '/data', type: 'bind', readOnly: true, propagation: 'private' },
        { destination: '/dev/shm', type: 'tmpfs', options: ['size=1m', 'exec'] },
      ],
    });
    assert.deepEqual(
      mounts.map(({ destination }) => destination),
      ['/proc', '/dev', '/dev/pts', '/sys', '/sys/fs/cgroup', '/dev/mqueue', '/data', '/data/inner', '/dev/shm'],
    );
    assert.deepEqual(
      mounts.slice(-3).map(({ options }) => options.join()),
      ['rbind,rro,private', 'rbind,rprivate', 'nosuid,nodev,rprivate,size=1m,exec'],
    );
  });

  test('a read-only root takes the kernel’s file systems with it, but for those that are the container’s own', async () => {
    const { mounts, root } = await translate({ readOnlyRoot: true });
    assert.equal(root.readonly, true);
    const writable = mounts.filter(({ options }) => !options.includes('ro')).map(({ destination }) => destination);
    assert.deepEqual(writable, ['/proc', '/dev', '/dev/pts', '/dev/mqueue', '/dev/shm']);
  });

  test('paths are masked, or read-only, unless privileged or told otherwise', async () => {
    const { linux } = await translate();
    assert.ok(linux.maskedPaths.includes('/proc/kcore') && linux.maskedPaths.includes(facts.thermalPaths[0] ?? ''));
    assert.deepEqual(linux.readonlyPaths, [
      '/proc/bus',
      '/proc/fs',
      '/proc/irq',
      '/proc/sys',
      '/proc/sysrq-trigger',
      '/sys/fs/cgroup',
    ]);
    const told = await translate({ confinement: { maskedPaths: { values: [] }, readonlyPaths: { values: ['/x'] } } });
    // The tmpfs of version 1's trees is read-only with its mount, whatever is unmasked.
    assert.deepEqual([told.linux.maskedPaths, told.linux.readonlyPaths], [[], ['/x', '/sys/fs/cgroup']]);
    const privileged = await translate({ confinement: { privileged: true } });
    assert.deepEqual([privileged.linux.maskedPaths, privileged.linux.readonlyPaths], [[], []]);
  });

  test('namespaces: private, the host’s, or another container’s', async () => {
    const names = async (parts: Parts, more: Partial<EngineFacts> = {}) =>
      (await translate(parts, more)).linux.namespaces.map(({ type, path }) => (path ? `${type}=${path}` : type));
    assert.deepEqual(await names({}), ['mount', 'uts', 'pid', 'ipc']);
    assert.deepEqual(await names({}, { cgroup2: true }), ['mount', 'uts', 'pid', 'ipc', 'cgroup']);
    assert.deepEqual(await names({ networkNamespacePath: '/n' }), ['mount', 'network=/n', 'uts', 'pid', 'ipc']);
    assert.deepEqual(await names({ pidMode: 'host', ipcMode: 'host', utsMode: 'host' }), ['mount']);
    assert.deepEqual(await names({ pidMode: 'container:other' }), ['mount', 'uts', 'pid=/proc/77/ns/pid', 'ipc']);
    assert.match(await refusal({ pidMode: 'container:gone' }), /failed to join PID namespace: container gone is not/);
    assert.match(await refusal({ ipcMode: 'what' }), /ipc_mode: invalid ipc mode: what/);
  });

  test('devices: the usual rules, then what was asked for', async () => {
    const { linux } = await translate({
      devices: [{ pathOnHost: '/dev/null', pathInContainer: '/dev/nil', permissions: 'r' }],
      deviceCgroupRules: ['c 42:* rmw'],
    });
    assert.deepEqual(
      linux.devices.map(({ path, type, major, minor }) => [path, type, major, minor]),
      [['/dev/nil', 'c', 1, 3]],
    );
    assert.deepEqual(linux.resources.devices[0], { allow: false, access: 'rwm' });
    assert.deepEqual(linux.resources.devices.slice(-2), [
      { allow: true, type: 'c', major: 1, minor: 3, access: 'r' },
      { allow: true, type: 'c', major: 42, access: 'rmw' },
    ]);
    assert.match(
      await refusal({ devices: [{ pathOnHost: '/dev/nothing' }] }),
      /error gathering device information .*"\/dev\/nothing"/,
    );
    assert.match(await refusal({ deviceCgroupRules: ['x'] }), /invalid device cgroup rule format: 'x'/);
  });

  test('malformed wishes are refused with the field named', async () => {
    assert.equal(await refusal({ rootPath: 'relative' }), 'root_path: root_path must be an absolute path');
    assert.equal(await refusal({ args: [] }), 'args: no command specified');
    assert.match(await refusal({ workingDir: 'tmp' }), /^working_dir: .*needs to be an absolute path/);
    assert.match(await refusal({ mounts: [{ source: '/a', destination: 'b', type: 'bind' }] }), /^mounts.destination/);
    assert.match(await refusal({ mounts: [{ source: '/a', destination: '/b', type: 'nfs' }] }), /^mounts.type/);
  });
});
