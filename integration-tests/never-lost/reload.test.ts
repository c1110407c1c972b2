import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { bootEngine, type Engine, until } from '../engine.ts';
import { importBusybox } from '../images.ts';
import { nothing } from '../machine.ts';

/** An engine with a configuration file, and how to change it and have it read again. */
async function place(t: TestContext, before: object, flags: string[] = []) {
  const folder = mkdtempSync(join(tmpdir(), 'ls-config-'));
  const file = join(folder, 'daemon.json');
  writeFileSync(file, JSON.stringify(before));
  const engine = await bootEngine({ flags: ['--config-file', file, ...flags] });
  t.after(async () => {
    await engine.dispose();
    rmSync(folder, { recursive: true, force: true });
    assert.deepEqual(engine.state(), nothing);
  });
  return {
    engine,
    /** Gives what the engine says of it. */
    async reload(text: string, says: RegExp): Promise<string> {
      writeFileSync(file, text);
      const told = engine.output().length;
      engine.launcher.kill('SIGHUP');
      const since = () => engine.output().slice(told);
      await until(() => says.test(since()), 10_000).catch(() => assert.fail(`${says} is not in:\n${since()}`));
      return since();
    },
  };
}

const info = async (engine: Engine) =>
  JSON.parse(await engine.dockerWith(undefined, 'info', '--format', '{{json .}}')) as {
    Debug: boolean;
    Labels: string[];
    LiveRestoreEnabled: boolean;
    DefaultRuntime: string;
    RegistryConfig: { IndexConfigs: Record<string, unknown> };
  };

test('SIGHUP reloads what can be reloaded, all or nothing, and names what needs a restart', async (t) => {
  const { engine, reload } = await place(t, { labels: ['zone=a'] });
  await importBusybox(engine);
  const run = (...args: string[]) => engine.dockerWith(undefined, 'run', ...args);
  const kept = (await run('-d', 'busybox', 'sleep', '1000')).trim();
  const began = Math.floor(Date.now() / 1000);

  const changed = {
    debug: true,
    labels: ['zone=b', 'rack=7'],
    'live-restore': false,
    'insecure-registries': ['registry.example:5000'],
    'default-runtime': 'runc',
    mtu: 1400,
  };
  const told = await reload(JSON.stringify(changed), /needs a restart/);
  for (const part of ['debug', 'labels=', 'live-restore=false', 'default-runtime=runc'])
    assert.match(told, new RegExp(`configuration reloaded .*${part}`));
  assert.match(told, /needs a restart of the engine to take effect: mtu\n/);
  const now = await info(engine);
  assert.deepEqual([now.Debug, now.Labels, now.LiveRestoreEnabled], [true, ['zone=b', 'rack=7'], false]);
  assert.ok('registry.example:5000' in now.RegistryConfig.IndexConfigs);
  assert.equal(now.DefaultRuntime, 'runc');
  // A container of the new runtime, and the one before by the old.
  const runtimeOf = (id: string) => engine.dockerWith(undefined, 'inspect', '-f', '{{.HostConfig.Runtime}}', id);
  const made = (await run('-d', 'busybox', 'sleep', '1000')).trim();
  assert.equal(await runtimeOf(made), 'runc\n');
  assert.equal(await engine.dockerWith(undefined, 'exec', kept, 'echo', 'here'), 'here\n');
  // Services log more from now on.
  await until(() => /DEBUG execdriver/.test(engine.output()), 5_000);

  const event = await engine.dockerWith(
    undefined,
    ...['events', '--since', String(began), '--until', String(Math.ceil(Date.now() / 1000) + 1)],
    ...['--filter', 'type=daemon', '--format', '{{json .}}'],
  );
  const { Action, Actor } = JSON.parse(event) as { Action: string; Actor: { Attributes: Record<string, string> } };
  assert.equal(Action, 'reload');
  assert.equal(Actor.Attributes['live-restore'], 'false');
  assert.equal(Actor.Attributes.labels, '["zone=b","rack=7"]');
  assert.equal(Actor.Attributes.debug, 'true');

  for (const [text, says] of [
    ['{ "labels": [', /not reloaded, all stays as it was: .*is not valid JSON/],
    ['{ "labels": ["x=y"], "no-such": 1 }', /not reloaded, .*"no-such" is not a key/],
    ['{ "labels": ["x=y"], "live-restore": "yes" }', /not reloaded, .*"live-restore" must be/],
    ['{ "labels": ["x=y"], "bridge": "br0", "bip": "10.1.2.3/24" }', /not reloaded, .*mutually exclusive|given both/],
    ['{ "labels": ["x=y"], "debug": false, "default-runtime": "absent" }', /not reloaded, .*absent/],
    ['{ "labels": ["x=y"], "log-level": "loud" }', /not reloaded, .*loud/],
  ] as const) {
    await reload(text, says);
    assert.deepEqual(await info(engine).then(({ Labels, DefaultRuntime, Debug }) => [Labels, DefaultRuntime, Debug]), [
      ['zone=b', 'rack=7'],
      'runc',
      true,
    ]);
  }
  assert.equal(await run('--rm', 'busybox', 'echo', 'still works'), 'still works\n');

  await reload(JSON.stringify({ labels: ['zone=c'] }), /configuration reloaded/);
  const after = await info(engine);
  assert.deepEqual([after.Debug, after.Labels, after.DefaultRuntime], [false, ['zone=c'], 'crun']);
  await reload(JSON.stringify({ labels: ['zone=c'] }), /configuration reloaded: nothing has changed/);
});

test('a reloaded live-restore counts at the end of the engine', async (t) => {
  const { engine, reload } = await place(t, {});
  await importBusybox(engine);
  await engine.dockerWith(undefined, 'run', '-d', '--stop-signal', 'KILL', 'busybox', 'sleep', '1000');
  await reload('{ "live-restore": false }', /configuration reloaded/);
  assert.equal(await engine.stop(), 0);
  assert.deepEqual(engine.state(), nothing);
  await engine.start();
});

test('after a reload a coordinator that is killed finds its services as they are', async (t) => {
  const { engine, reload } = await place(t, {});
  await reload('{ "debug": true }', /configuration reloaded/);
  const services = ['graph', 'execdriver', 'network'].map((role) => engine.pidOf(role));
  const told = engine.output().length;
  process.kill(engine.pidOf('daemon'), 'SIGKILL');
  await until(() => engine.output().slice(told).includes('Longshore is up'), 15_000);
  assert.deepEqual(
    ['graph', 'execdriver', 'network'].map((role) => engine.pidOf(role)),
    services,
  );
  assert.equal((await info(engine)).Debug, true);
});

test('all seven in one process reload too', async (t) => {
  const { engine, reload } = await place(t, { labels: ['zone=a'] }, ['--embedded']);
  await reload('{ "labels": ["zone=b"], "debug": true }', /configuration reloaded/);
  const { Labels, Debug } = await info(engine);
  assert.deepEqual([Labels, Debug], [['zone=b'], true]);
  await until(() => /DEBUG gateway/.test(engine.output()), 5_000);
});
