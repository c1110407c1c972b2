import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { after, before, suite, test } from 'node:test';
import { bootEngine, type Engine, until } from '../engine.ts';
import { busyboxTar, importBusybox } from '../images.ts';
import { nothing } from '../machine.ts';

let engine: Engine;
const docker = (...args: string[]) => engine.dockerWith(undefined, ...args);
const ids: Record<string, string> = {};

/** Names that `ps` shows, newest first. */
const ps = async (...args: string[]) =>
  (await docker('ps', '--format', '{{.Names}}', ...args)).split('\n').filter(Boolean);
const filtered = (...filters: string[]) => ps('-a', ...filters.flatMap((filter) => ['--filter', filter]));

before(async () => {
  engine = await bootEngine();
  await importBusybox(engine);
  await engine.dockerWith(
    busyboxTar(),
    'import',
    '--change',
    'CMD ["sh"]',
    '--change',
    'LABEL other=1',
    '-',
    'other:1',
  );
  const make = async (verb: string[], name: string, ...args: string[]) => {
    ids[name] = (await docker(...verb, '--name', name, ...args)).trim();
  };
  await make(['create'], 'made', '--label', 'tier=front', '-v', 'named:/data', 'busybox', 'true');
  await make(['run', '-d'], 'ended', '--label', 'tier=back', 'busybox', 'sh', '-c', 'echo written >/file; exit 3');
  await docker('wait', 'ended');
  const ports = ['-p', '127.0.0.1:0:80', '--expose', '9000-9002', '--label', 'tier=front', '--label', 'live'];
  const health = ['--health-cmd', 'true', '--health-interval', '50ms'];
  await make(['run', '-d'], 'serving', ...ports, ...health, 'other:1', 'sleep', '1000');
  await make(['run', '-d'], 'apart', '--network', 'none', 'busybox', 'sleep', '1000');
  await make(['run', '-d'], 'frozen', '-v', '/data', 'busybox', 'sleep', '1000');
  await docker('pause', 'frozen');
});
after(async () => {
  await engine.dispose();
  assert.deepEqual(engine.state(), nothing);
});

suite('ps filters as Docker does', () => {
  for (const [filters, names] of [
    [[], ['frozen', 'apart', 'serving', 'ended', 'made']],
    [['name=ser'], ['serving']],
    [['name=^/?(made|ended)$'], ['ended', 'made']],
    [
      ['name=made', 'name=apart'],
      ['apart', 'made'],
    ],
    [['label=tier'], ['serving', 'ended', 'made']],
    [['label=tier=front'], ['serving', 'made']],
    [['label=tier=front', 'label=live'], ['serving']],
    [['label=tier=none'], []],
    [['exited=3'], ['ended']],
    [['exited=0'], []],
    [['status=created'], ['made']],
    [
      ['status=created', 'status=exited'],
      ['ended', 'made'],
    ],
    [['status=running'], ['apart', 'serving']],
    [['status=paused'], ['frozen']],
    [['status=dead'], []],
    [['ancestor=other:1'], ['serving']],
    [['ancestor=busybox'], ['frozen', 'apart', 'ended', 'made']],
    [['ancestor=no-such-image'], []],
    [['before=serving'], ['ended', 'made']],
    [['since=serving'], ['frozen', 'apart']],
    [
      ['since=ended', 'before=frozen'],
      ['apart', 'serving'],
    ],
    [['volume=named'], ['made']],
    [['volume=/data'], ['frozen', 'made']],
    [['volume=nothing'], []],
    [['network=none'], ['apart']],
    [['network=bridge', 'status=running'], ['serving']],
    [['expose=9001'], ['serving']],
    [['expose=9000-9010/tcp'], ['serving']],
    [['expose=9001/udp'], []],
    [['health=healthy'], ['serving']],
    [['health=none', 'status=created'], ['made']],
    [['isolation=default', 'name=made'], ['made']],
    [['is-task=true'], []],
    [['is-task=false', 'name=made'], ['made']],
  ] as [string[], string[]][]) {
    test(filters.join(' ') || 'with -a, newest first', async () => {
      await until(async () => (await filtered('health=healthy')).length === 1, 10_000);
      assert.deepEqual(await filtered(...filters), names);
    });
  }

  test('id and its prefix, and the port on the host that is published', async () => {
    assert.deepEqual(await filtered(`id=${ids.made}`), ['made']);
    assert.deepEqual(await filtered(`id=${ids.made?.slice(0, 9)}`), ['made']);
    const port = (await docker('port', 'serving', '80/tcp')).trim().split(':').at(-1);
    assert.deepEqual(await filtered(`publish=${port}`), ['serving']);
    assert.deepEqual(await filtered(`publish=${port}/udp`), []);
    assert.equal(await docker('port', 'serving'), `80/tcp -> 127.0.0.1:${port}\n`);
    assert.match((await engine.docker('port', 'serving', '81')).stderr, /No public port '81' published for serving/);
  });

  for (const [filter, said] of [
    ['colour=red', "invalid filter 'colour'"],
    [
      'status=odd',
      "invalid filter 'status=odd': invalid value for state (odd): must be one of created, running, paused, restarting, removing, exited, dead",
    ],
    [
      'health=odd',
      "invalid filter 'health=odd': invalid value for health (odd): must be one of none, starting, healthy, unhealthy",
    ],
    ['before=nobody', 'No such container: nobody'],
    ['is-task=odd', "invalid filter 'is-task=[odd]'"],
  ] as const) {
    test(`${filter} is refused`, async () => {
      const { code, stderr } = await engine.docker('ps', '--filter', filter);
      assert.deepEqual([code, stderr.trim()], [1, `Error response from daemon: ${said}`]);
    });
  }
});

test('ps shows what runs; -l, -n and -q, --no-trunc and --size show other things', async () => {
  assert.deepEqual(await ps(), ['frozen', 'apart', 'serving']);
  assert.deepEqual(await ps('-l'), ['frozen']);
  assert.deepEqual(await ps('-n', '4'), ['frozen', 'apart', 'serving', 'ended']);
  assert.equal(await docker('ps', '-aq', '--filter', 'name=made'), `${ids.made?.slice(0, 12)}\n`);
  assert.equal(await docker('ps', '-aq', '--no-trunc', '--filter', 'name=made'), `${ids.made}\n`);
  const row = (format: string, name: string) =>
    docker('ps', '-a', '--no-trunc', '--filter', `name=${name}`, '--format', format);
  assert.equal(await row('{{.Command}}', 'ended'), `"sh -c 'echo written >/file; exit 3'"\n`);
  assert.match(await row('{{.Status}}', 'ended'), /^Exited \(3\) /);
  assert.match(
    await row('{{.Status}}|{{.Ports}}|{{.State}}', 'serving'),
    /^Up .*\(healthy\)\|.*127.0.0.1:\d+->80\/tcp.*\|running/,
  );
  assert.match(await row('{{.Status}}', 'frozen'), /^Up .* \(Paused\)/);
  assert.equal(
    await row('{{.Status}}|{{.Image}}|{{.Label "tier"}}|{{.Mounts}}', 'made'),
    'Created|busybox|front|named\n',
  );
  assert.match(await docker('ps', '-as', '--format', '{{.Names}} {{.Size}}'), /^ended 8B \(virtual \d/m);
});

test('events tell every verb of a container with its attributes, in order, from and up to a time', async () => {
  const since = Date.now() / 1000;
  const id = (await docker('run', '-d', '--name', 'told', '--label', 'team=x', 'busybox', 'sleep', '1000')).trim();
  for (const verb of [
    ['pause', 'told'],
    ['unpause', 'told'],
    ['rename', 'told', 'retold'],
    ['update', '--cpu-shares', '512', 'retold'],
    ['top', 'retold'],
    ['restart', '-t', '0', 'retold'],
    ['exec', 'retold', 'echo', 'x'],
  ]) {
    await docker(...verb);
  }
  const format =
    '{{.Type}} {{.Action}}{{with .Actor.Attributes}} {{.name}} {{.image}} {{.team}} {{.signal}} {{.oldName}} {{.exitCode}}{{end}}';
  const told = async (to: number, ...filters: string[]) => {
    const args = ['--since', String(since), '--until', String(to), '--format', format];
    const out = await docker('events', ...args, ...filters.flatMap((filter) => ['--filter', filter]));
    return out.replaceAll('<no value>', '-').split('\n').filter(Boolean);
  };
  await until(async () => (await told(Date.now() / 1000, 'event=exec_die', 'container=retold')).length === 1, 10_000);
  const middle = Date.now() / 1000;
  await docker('kill', 'retold');
  await docker('rm', 'retold');
  await docker('container', 'prune', '-f', '--filter', 'label=nothing');
  const end = Date.now() / 1000 + 0.01;
  const early = [
    'create told busybox x - - -',
    'start told busybox x - - -',
    'pause told busybox x - - -',
    'unpause told busybox x - - -',
    'rename retold busybox x - /told -',
    'update retold busybox x - - -',
    'top retold busybox x - - -',
    'kill retold busybox x 15 - -',
    'kill retold busybox x 9 - -',
    'die retold busybox x - - 137',
    'stop retold busybox x - - -',
    'start retold busybox x - - -',
    'restart retold busybox x - - -',
    'exec_create: echo x retold busybox x - - -',
    'exec_start: echo x retold busybox x - - -',
    'exec_die retold busybox x - - 0',
  ].map((line) => `container ${line}`);
  const late = ['kill retold busybox x 9 - -', 'die retold busybox x - - 137', 'destroy retold busybox x - - -'].map(
    (line) => `container ${line}`,
  );
  assert.deepEqual(await told(middle, `container=${id}`), early);
  assert.deepEqual(await told(end, `container=${id.slice(0, 12)}`), [...early, ...late]);
  assert.deepEqual(await told(end, 'label=team=x', 'type=container'), [...early, ...late]);
  assert.deepEqual(await told(end, 'event=die', 'event=destroy', 'container=retold'), [early[9], late[1], late[2]]);
  assert.deepEqual((await told(end, 'image=busybox', 'event=exec_create')).length, 1);
  assert.deepEqual((await told(end, 'type=network', 'event=connect')).length, 2);
  assert.deepEqual(await told(end, 'event=prune'), ['container prune - - - - - -']);
  // As in Docker, what is unknown there is no error.
  assert.deepEqual(await told(end, 'plugin=any'), await told(end, 'service=any'));
  const backwards = await engine.docker('events', '--since', '20', '--until', '10');
  assert.match(backwards.stderr, /`since` time \(20\) cannot be after `until` time \(10\)/);
});

suite('inspect shows what the engine has filled in', () => {
  const inspected = async (name: string) => JSON.parse(await docker('inspect', name))[0];

  test('where the parts of a layer are', async () => {
    const { GraphDriver } = await inspected('ended');
    assert.equal(GraphDriver.Name, 'overlay2');
    const { LowerDir, MergedDir, UpperDir, WorkDir } = GraphDriver.Data;
    assert.equal(readFileSync(`${UpperDir}/file`, 'utf8'), 'written\n');
    assert.ok(LowerDir.split(':').every((lower: string) => existsSync(`${lower}/bin/busybox`)));
    assert.ok(existsSync(WorkDir));
    const { GraphDriver: living } = await inspected('apart');
    assert.ok(existsSync(`${living.Data.MergedDir}/bin/busybox`));
    assert.equal(existsSync(`${MergedDir}/bin/busybox`), false);
    const image = await inspected('busybox');
    assert.ok(existsSync(`${image.GraphDriver.Data.UpperDir}/bin/busybox`));
  });

  test('namespaces, labels and limits that were left to it', async () => {
    const cgroups = existsSync('/sys/fs/cgroup/cgroup.controllers') ? 'private' : 'host';
    const { HostConfig } = await inspected('apart');
    assert.deepEqual(
      [HostConfig.CgroupnsMode, HostConfig.PidsLimit, HostConfig.SecurityOpt, HostConfig.Runtime],
      [cgroups, null, null, 'crun'],
    );
    const id = (await docker('create', '--privileged', '--pids-limit', '-1', 'busybox')).trim();
    const { HostConfig: privileged } = await inspected(id);
    await docker('rm', id);
    assert.deepEqual([privileged.SecurityOpt, privileged.PidsLimit], [['label=disable'], null]);
  });

  test('mounts: volumes with their mode, what --mount makes in memory, but not what --tmpfs does', async () => {
    const mounts = ['--tmpfs', '/scratch/', '--mount', 'type=tmpfs,target=/memory', '-v', 'named:/data', '-v', '/own'];
    const id = (await docker('create', ...mounts, 'busybox')).trim();
    const { Mounts } = await inspected(id);
    const listed = await docker('ps', '-a', '--no-trunc', '--filter', `id=${id}`, '--format', '{{.Mounts}}');
    await docker('rm', '-v', id);
    const told = Mounts.map(({ Type, Destination, Mode }: Record<string, string>) => [Destination, Type, Mode]);
    assert.deepEqual(told.toSorted(), [
      ['/data', 'volume', 'z'],
      ['/memory', 'tmpfs', ''],
      ['/own', 'volume', ''],
    ]);
    assert.equal(listed.trim().split(',').length, 3);
  });
});
