import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { bootEngine, type Engine, until } from '../engine.ts';
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

test('a linked container is told by the environment: where it listens, its name and its variables', async () => {
  const flags = ['--expose', '5432', '--expose', '53/udp', '-e', 'SECRET=a b=c', '-e', 'PATH=/bin'];
  await docker('run', '-d', '--name', 'my-db', ...flags, 'busybox', 'sleep', '1000');
  const address = (await docker('inspect', '-f', '{{.NetworkSettings.IPAddress}}', 'my-db')).trim();
  await docker('run', '-d', '--name', 'web', '--link', 'my-db:db-1', 'busybox', 'sleep', '1000');
  const told = async () =>
    (await docker('exec', 'web', 'env'))
      .split('\n')
      .filter((line) => line.startsWith('DB_1_'))
      .sort();
  const expected = (parent: string, at: string) =>
    [
      `DB_1_PORT=udp://${at}:53`,
      `DB_1_PORT_53_UDP=udp://${at}:53`,
      `DB_1_PORT_53_UDP_ADDR=${at}`,
      'DB_1_PORT_53_UDP_PORT=53',
      'DB_1_PORT_53_UDP_PROTO=udp',
      `DB_1_PORT_5432_TCP=tcp://${at}:5432`,
      `DB_1_PORT_5432_TCP_ADDR=${at}`,
      'DB_1_PORT_5432_TCP_PORT=5432',
      'DB_1_PORT_5432_TCP_PROTO=tcp',
      `DB_1_NAME=/${parent}/db-1`,
      'DB_1_ENV_SECRET=a b=c',
    ].sort();
  assert.deepEqual(await told(), expected('web', address));
  assert.match(await docker('exec', 'web', 'cat', '/etc/hosts'), new RegExp(`^${address}\\s+db-1 \\S+ my-db$`, 'm'));

  // Own variables go before those of links, and a restart tells the name of the day.
  await docker('rename', 'web', 'front');
  await docker('restart', '-t', '0', 'front');
  const names = (await docker('exec', 'front', 'env')).split('\n').filter((line) => line.startsWith('DB_1_NAME'));
  assert.deepEqual(names, ['DB_1_NAME=/front/db-1']);
  await docker('rm', '-f', 'front', 'my-db');
});

test('a variable of the container’s own goes before that of a link', async () => {
  await docker('run', '-d', '--name', 'db', 'busybox', 'sleep', '1000');
  const own = await docker('run', '--rm', '--link', 'db', '-e', 'DB_NAME=own', 'busybox', 'sh', '-c', 'echo $DB_NAME');
  assert.equal(own, 'own\n');
  await docker('rm', '-f', 'db');
});

test('rm -l takes the other out of the hosts of one that runs, at once; its other links and names stay', async () => {
  for (const name of ['db', 'cache', 'queue']) await docker('run', '-d', '--name', name, 'busybox', 'sleep', '1000');
  const links = ['--link', 'db:store', '--link', 'cache', '--link', 'queue'];
  await docker('run', '-d', '--name', 'web', ...links, '--add-host', 'far:192.0.2.1', 'busybox', 'sleep', '1000');
  const hosts = () => docker('exec', 'web', 'cat', '/etc/hosts');
  const knows = async (name: string) =>
    (await engine.docker('exec', 'web', 'ping', '-c', '1', '-W', '2', name)).code === 0;
  const before = await hosts();
  assert.equal(await knows('store'), true);
  await docker('rm', '-l', 'web/store');
  assert.equal(await hosts(), before.replace(/^.*\tstore .*\n/m, ''));
  assert.deepEqual([await knows('store'), await knows('cache')], [false, true]);

  // Of a linked one that has ended there is no address any more.
  await docker('kill', 'queue');
  await docker('rm', '-l', 'web/queue');
  await docker('rm', '-l', 'web/cache');
  assert.equal(await hosts(), before.replace(/^.*\t(store|cache|queue) .*\n/gm, ''));
  assert.match(await hosts(), /^192\.0\.2\.1\tfar$/m);
  await docker('rm', '-f', 'web', 'db', 'cache', 'queue');
});

test('a linked one that runs again is found at its new address', async () => {
  const addressOf = async (name: string) =>
    (await docker('inspect', '-f', '{{.NetworkSettings.IPAddress}}', name)).trim();
  await docker('run', '-d', '--name', 'db', '--stop-signal', 'KILL', 'busybox', 'sleep', '1000');
  await docker('run', '-d', '--name', 'web', '--link', 'db:store', 'busybox', 'sleep', '1000');
  const old = await addressOf('db');
  await docker('stop', 'db');
  // Whoever is next may get the address that has become free.
  await docker('run', '-d', '--name', 'other', 'busybox', 'sleep', '1000');
  await docker('start', 'db');
  const now = await addressOf('db');
  assert.notEqual(now, old);
  const known = async () => /^(\S+)\tstore /m.exec(await docker('exec', 'web', 'cat', '/etc/hosts'))?.[1];
  await until(async () => (await known()) === now, 10_000);
  await docker('exec', 'web', 'ping', '-c', '1', '-W', '2', 'store');
  await docker('rm', '-f', 'web', 'db', 'other');
});

test('rm -l of one that does not run holds for its next start', async () => {
  await docker('run', '-d', '--name', 'db', 'busybox', 'sleep', '1000');
  await docker('create', '--name', 'web', '--link', 'db', 'busybox', 'cat', '/etc/hosts');
  await docker('rm', '-l', 'web/db');
  assert.doesNotMatch(await docker('start', '-a', 'web'), /\tdb /);
  await docker('rm', '-f', 'web', 'db');
});
