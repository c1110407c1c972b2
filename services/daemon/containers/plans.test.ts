import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ContainerConfig, type ContainerResources, HostConfig } from '../../../proto/gen/longshore/daemon/v1/config.ts';
import type { MountPoint } from '../../../proto/gen/longshore/daemon/v1/container.ts';
import { ProbeResponse } from '../../../proto/gen/longshore/execdriver/v1/host.ts';
import { Image, ImageConfig } from '../../../proto/gen/longshore/graph/v1/image.ts';
import { SandboxMode } from '../../../proto/gen/longshore/network/v1/sandbox.ts';
import { usualFacts } from '../testing/engine.ts';
import { clean, parseBind } from './bind-spec.ts';
import { mergeImage } from './merge-image.ts';
import { planMounts } from './mount-plan.ts';
import { parseExtraHost, planSandbox } from './network-plan.ts';
import { newRecord } from './new-record.ts';
import { pattern } from './pattern.ts';
import { parsePort, planPorts } from './port-plan.ts';
import { processSpec } from './process-spec.ts';
import type { ContainerRecord } from './record.ts';
import { confinementOf, withSystemPaths } from './security-options.ts';
import { signalNumber } from './signals.ts';
import { checkResources } from './validate-resources.ts';

const id = 'a'.repeat(64);
const nobody = (reference: string): never => {
  throw new Error(`No such container: ${reference}`);
};

/** A record that was just made. */
function made(
  config: Parameters<typeof ContainerConfig.create>[0],
  host: Parameters<typeof HostConfig.create>[0],
  mounts: MountPoint[] = [],
): ContainerRecord {
  const asked = {
    id,
    name: 'web',
    requestHash: '',
    config: ContainerConfig.create(config),
    host: HostConfig.create(host),
    endpoints: {},
    platform: '',
  };
  return newRecord(asked, { image: Image.create({ config: { cmd: ['sh'] } }), mounts }, usualFacts, 1n);
}

test('the image says what the user has not', () => {
  const image = ImageConfig.create({
    entrypoint: ['/entry'],
    cmd: ['serve'],
    env: ['PATH=/bin', 'A=image'],
    labels: { a: 'image', b: 'image' },
    exposedPorts: ['80/tcp'],
    volumes: ['/data'],
    workingDir: '/srv',
    user: 'app',
    stopSignal: 'SIGINT',
  });
  const merge = (user: Parameters<typeof ContainerConfig.create>[0]) => mergeImage(ContainerConfig.create(user), image);
  const command = (user: Parameters<typeof ContainerConfig.create>[0]) => {
    const { entrypoint, cmd } = merge(user);
    return [...(entrypoint?.values ?? []), ...(cmd?.values ?? [])];
  };
  assert.deepEqual(command({}), ['/entry', 'serve']);
  assert.deepEqual(command({ cmd: { values: ['ls'] } }), ['/entry', 'ls']);
  assert.deepEqual(command({ entrypoint: { values: ['sh'] } }), ['sh']);
  assert.deepEqual(command({ entrypoint: { values: [''] }, cmd: { values: ['ls'] } }), ['ls']);
  assert.throws(() => command({ entrypoint: { values: [''] } }), /no command specified/);
  const merged = merge({ env: ['A=user', 'B'], labels: { a: 'user' }, exposedPorts: ['443/tcp'], volumes: ['/data'] });
  assert.deepEqual(merged.env, ['A=user', 'B', 'PATH=/bin']);
  assert.deepEqual(merged.labels, { a: 'user', b: 'image' });
  assert.deepEqual([merged.exposedPorts, merged.volumes], [['443/tcp', '80/tcp'], ['/data']]);
  assert.deepEqual([merged.workingDir, merged.user, merged.stopSignal], ['/srv', 'app', 'SIGINT']);
});

test('binds: host paths, volumes, modes; and what is none', () => {
  const parse = (spec: string) => {
    const { type, source, name, destination, readWrite, propagation } = parseBind(spec, '');
    return [type, source || name, destination, readWrite, propagation];
  };
  assert.deepEqual(parse('/src/:/dst'), ['bind', '/src', '/dst', true, 'rprivate']);
  assert.deepEqual(parse('/src:/dst:ro,rslave'), ['bind', '/src', '/dst', false, 'rslave']);
  assert.deepEqual(parse('data:/dst/../data:nocopy'), ['volume', 'data', '/data', true, '']);
  assert.throws(() => parse('/src:/dst:what'), /invalid mode: what/);
  assert.throws(() => parse('/src:relative'), /mount path must be absolute/);
  assert.throws(() => parse('/src:/'), /destination can't be '\/'/);
  assert.throws(() => parse('a b:/dst'), /includes invalid characters for a local volume name/);
  assert.throws(() => parse('/a:/b:rw:more'), /invalid volume specification/);
  assert.equal(clean('/a//b/./../c/'), '/a/c');
});

test('mounts: one at each place, the user’s before what others lend and images want', () => {
  const lender = made({}, {}, [parseBind('/lent:/data', ''), parseBind('/lent:/lent', '')]);
  const plan = (host: Parameters<typeof HostConfig.create>[0], volumes: string[] = []) =>
    planMounts(id, HostConfig.create(host), volumes, (reference) =>
      reference === 'lender' ? lender : nobody(reference),
    ).map(
      ({ point }) =>
        `${point.type} ${point.source || (point.anonymous ? 'anonymous' : point.name)} ${point.destination}${point.readWrite ? '' : ' ro'}`,
    );
  assert.deepEqual(plan({ binds: ['/own:/data'], volumesFrom: ['lender:ro'] }, ['/data', '/more']), [
    'bind /own /data',
    'bind /lent /lent ro',
    'volume anonymous /more',
  ]);
  assert.throws(() => plan({ binds: ['/a:/x', '/b:/x/'] }), /Duplicate mount point: \/x/);
  assert.throws(() => plan({ mounts: [{ type: 'bind', target: '/x' }] }), /field Source must not be empty/);
  assert.throws(() => plan({ mounts: [{ type: 'what', target: '/x' }] }), /mount type unknown: "what"/);
  assert.throws(() => plan({ volumesFrom: ['gone'] }), /No such container: gone/);
  const once = planMounts(id, HostConfig.create({}), ['/v'], nobody)[0]?.point.name;
  assert.equal(planMounts(id, HostConfig.create({}), ['/v'], nobody)[0]?.point.name, once);
  assert.match(once ?? '', /^[0-9a-f]{64}$/);
});

test('ports: bindings, ranges, and with -P what is exposed and not bound; the named ones first', () => {
  const plan = (host: Parameters<typeof HostConfig.create>[0], exposed: string[] = []) =>
    planPorts(HostConfig.create(host), exposed).map(
      ({ containerPort, protocol, hostIp, hostPort, hostPortEnd }) =>
        `${hostIp}:${hostPort}${hostPortEnd ? `-${hostPortEnd}` : ''}->${containerPort}/${protocol}`,
    );
  assert.deepEqual(
    plan(
      {
        publishAllPorts: true,
        portBindings: { '80/tcp': { bindings: [{ hostPort: '' }, { hostPort: '8080', hostIp: '127.0.0.1' }] } },
      },
      ['80/tcp', '53/udp'],
    ),
    ['127.0.0.1:8080->80/tcp', ':0->53/udp', ':0->80/tcp'],
  );
  assert.deepEqual(plan({ portBindings: { '80': { bindings: [{ hostPort: '8000-8010' }] } } }), [':8000-8010->80/tcp']);
  assert.deepEqual(plan({ portBindings: { '80/tcp': { bindings: [] } } }, ['80/tcp']), []);
  assert.throws(
    () => plan({ portBindings: { '80/tcp': { bindings: [{ hostPort: '99999' }] } } }),
    /invalid port specification/,
  );
  assert.throws(() => parsePort('0/tcp'), /invalid port specification/);
  assert.throws(() => parsePort('80/sctp'), /unsupported protocol/);
});

test('networks: modes, aliases, extra hosts', () => {
  const plan = (host: Parameters<typeof HostConfig.create>[0], networkDisabled = false) => {
    const record = made({}, host);
    const { mode, endpoints } = planSandbox(record, { networkDisabled, remapsUsers: false }, []);
    return [mode, ...endpoints.map(({ network, aliases }) => [network, ...aliases].join(' '))];
  };
  const { SANDBOX_MODE_ENDPOINTS, SANDBOX_MODE_HOST, SANDBOX_MODE_NONE } = SandboxMode;
  assert.deepEqual(plan({}), [SANDBOX_MODE_ENDPOINTS, 'bridge']);
  assert.deepEqual(plan({ networkMode: 'default' }), [SANDBOX_MODE_ENDPOINTS, 'bridge']);
  assert.deepEqual(plan({ networkMode: 'mine' }), [SANDBOX_MODE_ENDPOINTS, `mine ${id.slice(0, 12)}`]);
  assert.deepEqual(plan({ networkMode: 'host' }), [SANDBOX_MODE_HOST]);
  assert.deepEqual(plan({ networkMode: 'none' }), [SANDBOX_MODE_NONE]);
  assert.deepEqual(plan({}, true), [SANDBOX_MODE_NONE]);
  assert.deepEqual(parseExtraHost('db:10.0.0.1'), { address: '10.0.0.1', names: ['db'] });
  assert.deepEqual(parseExtraHost('db:[::1]'), { address: '::1', names: ['db'] });
  assert.throws(() => parseExtraHost('db'), /bad format for add-host: "db"/);
});

test('the process gets the engine’s environment and files, unless the user has his own there', () => {
  const mounts = planMounts(
    id,
    HostConfig.create({
      binds: ['/b:/x/y', '/h:/etc/hosts', 'vol:/x'],
      mounts: [{ type: 'bind', source: '/m', target: '/m' }],
    }),
    [],
    nobody,
  );
  const record = made(
    { hostname: 'h', tty: true, env: ['TERM', 'A=1', 'PATH=/mine'] },
    { mounts: [{ type: 'bind', source: '/m', target: '/m' }] },
    mounts.map(({ point }) => point),
  );
  const prepared = {
    rootPath: '/r',
    userNamespacePath: '',
    namespacePath: '/n',
    resolvConfPath: '/f/resolv',
    hostsPath: '/f/hosts',
    hostnamePath: '/f/hostname',
    volumePaths: new Map([['vol', '/volumes/vol']]),
    linkedEnv: ['DB_PORT=1'],
  };
  const defaults = {
    runtime: 'crun',
    runtimes: [],
    logDriver: 'local',
    logOptions: { 'max-size': '1m' },
    init: true,
    shmSize: 7,
    stopTimeoutS: 10,
    noNewPrivileges: false,
    seccompProfile: { name: 'builtin', rules: '' },
    ipcMode: 'private',
    cgroupnsMode: '',
  };
  const spec = processSpec(record, prepared, defaults);
  assert.deepEqual(spec.env, ['PATH=/mine', 'HOSTNAME=h', 'DB_PORT=1', 'A=1']);
  assert.deepEqual(
    spec.mounts.map(({ source, destination, createSource }) => `${source} ${destination} ${createSource}`),
    [
      '/f/resolv /etc/resolv.conf false',
      '/f/hostname /etc/hostname false',
      '/volumes/vol /x false',
      '/m /m false',
      '/b /x/y true',
      '/h /etc/hosts true',
    ],
  );
  assert.deepEqual(
    [spec.init, spec.shmSize, spec.log?.driver, spec.log?.options],
    [true, 7, 'local', { 'max-size': '1m' }],
  );
});

test('security options', () => {
  const of = (securityOpt: string[]) => confinementOf(HostConfig.create({ securityOpt }));
  assert.deepEqual(
    (({ noNewPrivileges, seccomp, apparmor, selinux }) => [noNewPrivileges, seccomp, apparmor, selinux])(
      of(['no-new-privileges', 'seccomp=unconfined', 'apparmor:mine', 'label=disable']),
    ),
    [true, 'unconfined', 'mine', ['disable']],
  );
  const strict = { noNewPrivileges: true, seccompProfile: { name: '/p.json', rules: '{}' } };
  const ours = (host: Partial<HostConfig>) => {
    const { noNewPrivileges, seccomp } = confinementOf(HostConfig.create(host), strict);
    return [noNewPrivileges, seccomp];
  };
  assert.deepEqual(ours({}), [true, '{}']);
  assert.deepEqual(ours({ privileged: true }), [true, '']);
  assert.deepEqual(ours({ securityOpt: ['no-new-privileges=false', 'seccomp=unconfined'] }), [false, 'unconfined']);
  assert.deepEqual(of(['systempaths=unconfined']).maskedPaths, { values: [] });
  const usual = { maskedPaths: ['/proc/kcore'], readonlyPaths: ['/proc/sys'] };
  const shown = (host: Partial<HostConfig>) => {
    const { maskedPaths, readonlyPaths } = withSystemPaths(HostConfig.create(host), usual);
    return [maskedPaths?.values, readonlyPaths?.values];
  };
  assert.deepEqual(shown({}), [['/proc/kcore'], ['/proc/sys']]);
  assert.deepEqual(shown({ privileged: true }), [undefined, undefined]);
  assert.deepEqual(shown({ securityOpt: ['systempaths=unconfined'] }), [[], []]);
  assert.deepEqual(shown({ maskedPaths: { values: ['/x'] } }), [['/x'], ['/proc/sys']]);
  assert.throws(() => of(['nonsense']), /invalid --security-opt 1: "nonsense"/);
  assert.throws(() => of(['what=ever']), /invalid --security-opt 2: "what=ever"/);
});

test('signals by name, with or without SIG, and by number', () => {
  assert.deepEqual(['9', 'kill', 'SIGKILL', 'RTMIN+3', 'SIGRTMAX', '64'].map(signalNumber), [9, 9, 9, 37, 64, 64]);
  for (const bad of ['0', '65', 'NOPE', 'SIGRTMIN+31', '-1'])
    assert.throws(() => signalNumber(bad), { message: `invalid signal: ${bad}` });
});

test('resources that cannot be are refused; those that the kernel lacks are left out with a warning', () => {
  const kernel = ProbeResponse.create({ memoryLimit: true, swapLimit: true, cpuQuota: true, pidsLimit: true, cpus: 2 });
  const check = (resources: Partial<ContainerResources>, host = kernel) =>
    checkResources(HostConfig.create({ resources }), host);
  const mib = 1024 * 1024;
  assert.throws(() => check({ memory: mib }), /Minimum memory limit allowed is 6MB/);
  assert.throws(() => check({ memory: 8 * mib, memorySwap: 7 * mib }), /Minimum memoryswap limit should be larger/);
  assert.throws(() => check({ memorySwap: 8 * mib }), /You should always set the Memory limit/);
  assert.throws(
    () => check({ nanoCpus: 3e9 }),
    /range of CPUs is from 0.01 to 2.00, as there are only 2 CPUs available/,
  );
  assert.throws(() => check({ cpusetCpus: '0-' }), /Invalid value 0- for cpuset cpus/);
  assert.equal(check({ memory: 8 * mib }).resources?.memorySwap, 16 * mib);
  const { resources, warnings } = check({ memory: 8 * mib }, ProbeResponse.create({ cpus: 2 }));
  assert.equal(resources?.memory, 0);
  assert.match(warnings[0] ?? '', /does not support memory limit/);
});

test('patterns match anywhere, and one that could take for ever is refused', () => {
  assert.ok(pattern('name', 'web')('/my-web-1'));
  assert.ok(pattern('name', '^/web$')('/web') && !pattern('name', '^/web$')('/web-1'));
  assert.ok(pattern('name', 'a.c')('abc') && pattern('name', '[')('['));
  assert.throws(() => pattern('name', '(a+)+$'), /invalid filter 'name=\(a\+\)\+\$'/);
});
