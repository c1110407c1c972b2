import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { bootEngine, type Engine } from '../engine.ts';
import { ask } from '../engine-api/ask.ts';
import { importBusybox } from '../images.ts';
import { nothing } from '../machine.ts';

let engine: Engine;
const docker = (...args: string[]) => engine.dockerWith(undefined, ...args);

before(async () => {
  engine = await bootEngine();
  await importBusybox(engine);
});
after(async () => {
  await engine.dispose();
  assert.deepEqual(engine.state(), nothing);
});

interface Shown {
  AppArmorProfile: string;
  HostConfig: { MaskedPaths: string[] | null; ReadonlyPaths: string[] | null };
}

const shown = async (name: string): Promise<Shown> => JSON.parse(await docker('inspect', '-f', '{{json .}}', name));
const paths = async (name: string) => {
  const { MaskedPaths, ReadonlyPaths } = (await shown(name)).HostConfig;
  return [MaskedPaths, ReadonlyPaths];
};

/** What lies over parts of the container's /proc and /sys: nothing readable, or the same but read-only. */
async function covers(name: string): Promise<{ masked: string[]; readOnly: string[] }> {
  const mounts = (await docker('exec', name, 'cat', '/proc/self/mountinfo'))
    .trim()
    .split('\n')
    .map((line) => {
      const [, , , root = '', target = '', options = ''] = line.split(' ');
      const type = line.split(' - ')[1]?.split(' ')[0] ?? '';
      return { root, target, type, isReadOnly: options.split(',').includes('ro') };
    })
    .filter(({ target }) => /^\/(proc|sys)\/(?!fs\/cgroup)/.test(target));
  const isEmpty = ({ root, type }: { root: string; type: string }) => root === '/null' || type === 'tmpfs';
  const targets = (of: typeof mounts) => of.map(({ target }) => target).sort();
  return {
    masked: targets(mounts.filter(isEmpty)),
    readOnly: targets(mounts.filter((mount) => !isEmpty(mount) && mount.isReadOnly)),
  };
}

/** Those that this kernel has. */
async function existing(name: string, among: readonly string[] | null | undefined): Promise<string[]> {
  const script = 'for path; do [ -e "$path" ] && echo "$path"; done; true';
  const found = await docker('exec', name, 'sh', '-c', script, 'sh', ...(among ?? []));
  return found.split('\n').filter(Boolean).sort();
}

test('inspect tells what a container is kept from, before its start too, and inside it is so', async () => {
  await docker('create', '--name', 'plain', 'busybox', 'sleep', '1000');
  const [masked, readOnly] = await paths('plain');
  assert.ok(masked?.includes('/proc/kcore') && masked.includes('/sys/firmware'), String(masked));
  assert.deepEqual(readOnly, ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger']);
  await docker('start', 'plain');
  assert.deepEqual(await paths('plain'), [masked, readOnly]);
  assert.deepEqual(await covers('plain'), {
    masked: await existing('plain', masked),
    readOnly: await existing('plain', readOnly),
  });

  // Who is created from what another shows is kept from the same.
  const { HostConfig } = await shown('plain');
  const body = JSON.stringify({ Image: 'busybox', Cmd: ['sleep', '1000'], HostConfig });
  assert.equal((await ask(engine, 'POST', '/v1.51/containers/create?name=copy', body)).status, 201);
  await docker('start', 'copy');
  assert.deepEqual(await covers('copy'), await covers('plain'));
  await docker('rm', '-f', 'plain', 'copy');
});

test('lists of the client’s own are shown and obeyed, beside --privileged too', async () => {
  for (const Privileged of [false, true]) {
    const host = { MaskedPaths: ['/proc/uptime', '/sys/class'], ReadonlyPaths: ['/proc/sys/kernel'], Privileged };
    const body = JSON.stringify({ Image: 'busybox', Cmd: ['sleep', '1000'], HostConfig: host });
    assert.equal((await ask(engine, 'POST', '/v1.51/containers/create?name=own', body)).status, 201);
    await docker('start', 'own');
    assert.deepEqual(await paths('own'), [host.MaskedPaths, host.ReadonlyPaths]);
    assert.deepEqual(await covers('own'), { masked: ['/proc/uptime', '/sys/class'], readOnly: ['/proc/sys/kernel'] });
    assert.equal(await docker('exec', 'own', 'cat', '/proc/uptime'), '');
    await docker('rm', '-f', 'own');
  }
});

test('systempaths=unconfined shows empty lists, --privileged none, and inside nothing is covered', async () => {
  for (const [flags, expected] of [
    [['--security-opt', 'systempaths=unconfined'], []],
    [['--privileged'], null],
  ] as const) {
    await docker('run', '-d', '--name', 'open', ...flags, 'busybox', 'sleep', '1000');
    assert.deepEqual(await paths('open'), [expected, expected]);
    assert.deepEqual(await covers('open'), { masked: [], readOnly: [] });
    await docker('rm', '-f', 'open');
  }
});

test('the directory of cgroups is read-only whatever is unmasked', async () => {
  const script = 'mkdir /sys/fs/cgroup/mine 2>&1; true';
  const tried = (...flags: string[]) => docker('run', '--rm', ...flags, 'busybox', 'sh', '-c', script);
  for (const flags of [[], ['--security-opt', 'systempaths=unconfined']])
    assert.match(await tried(...flags), /Read-only file system/, String(flags));
});

test('inspect tells the AppArmor profile that the kernel confines by; none where it has no AppArmor', async () => {
  for (const flags of [[], ['--security-opt', 'apparmor=unconfined'], ['--privileged']]) {
    await docker('run', '-d', '--name', 'confined', ...flags, 'busybox', 'sleep', '1000');
    const inside = await docker('exec', 'confined', 'sh', '-c', 'cat /proc/1/attr/current 2>/dev/null; true');
    assert.equal((await shown('confined')).AppArmorProfile, inside.replace(/ \(.*\)\s*$/, '').trim(), String(flags));
    await docker('rm', '-f', 'confined');
  }
});
