import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { after, afterEach, before, test } from 'node:test';
import { bootEngine, type Engine, inOneProcess, until } from '../engine.ts';
import { busyboxTar, importBusybox } from '../images.ts';
import { nothing, processes } from '../machine.ts';

let engine: Engine;
const docker = (...args: string[]) => engine.dockerWith(undefined, ...args);
const patienceMs = 15_000;

interface Health {
  Status: string;
  FailingStreak: number;
  Log: { Start: string; End: string; ExitCode: number; Output: string }[];
}

const inspected = async (name: string) => JSON.parse(await docker('inspect', name))[0];
const healthOf = async (name: string): Promise<Health> => (await inspected(name)).State.Health;
const turns = (name: string, status: string) => until(async () => (await healthOf(name)).Status === status, patienceMs);
const shown = async (name: string) =>
  (await docker('ps', '-a', '-f', `name=^${name}$`, '--format', '{{.Status}}')).trim();
const runs = (words: string) => processes().some((line) => line.endsWith(words));

before(async () => {
  engine = await bootEngine();
  await importBusybox(engine);
});
afterEach(async () => {
  const ids = (await docker('ps', '-aq')).split('\n').filter(Boolean);
  if (ids.length > 0) await docker('rm', '-f', ...ids);
});
after(async () => {
  await engine.dispose();
  assert.deepEqual(engine.state(), nothing);
});

/** A container that is healthy for as long as it has the file /ok. */
async function runChecked(name: string, ...flags: string[]): Promise<void> {
  const check = ['--health-cmd', 'echo looked; test -f /ok', '--health-interval', '100ms', '--health-retries', '2'];
  await docker('run', '-d', '--name', name, ...check, ...flags, 'busybox', 'sh', '-c', 'touch /ok; sleep 1000');
}

test('a container is starting, turns healthy, and unhealthy when what is checked is gone; ps and events say so', async () => {
  const since = `${Date.now() / 1000}`;
  await runChecked('web', '--health-start-period', '60s', '--health-start-interval', '1s');
  assert.match(await shown('web'), /^Up .* \(health: starting\)$/);
  assert.equal((await docker('ps', '-q', '-f', 'health=starting')).trim().length, 12);
  await turns('web', 'healthy');
  assert.match(await shown('web'), /^Up .* \(healthy\)$/);
  const [result] = (await healthOf('web')).Log;
  assert.deepEqual([result?.ExitCode, result?.Output], [0, 'looked\n']);
  assert(Date.parse(result?.Start ?? '') <= Date.parse(result?.End ?? ''));
  await docker('rm', '-f', 'web');

  await runChecked('web');
  await turns('web', 'healthy');
  await docker('exec', 'web', 'rm', '/ok');
  await turns('web', 'unhealthy');
  assert.match(await shown('web'), /^Up .* \(unhealthy\)$/);
  const { FailingStreak, Log } = await healthOf('web');
  assert(FailingStreak >= 2);
  assert(Log.length <= 5 && Log.at(-1)?.ExitCode === 1);
  assert.equal((await docker('ps', '-q', '-f', 'health=unhealthy')).trim().length, 12);
  assert.equal(await docker('ps', '-q', '-f', 'health=healthy'), '');
  await docker('exec', 'web', 'touch', '/ok');
  await turns('web', 'healthy');

  const until = `${Date.now() / 1000}`;
  const told = (...filters: string[]) =>
    docker('events', '--since', since, '--until', until, ...filters.flatMap((each) => ['-f', each]));
  const changes = (await told('event=health_status')).trim();
  assert.deepEqual(
    changes.split('\n').map((line) => /health_status: \w+/.exec(line)?.[0]),
    ['healthy', 'healthy', 'unhealthy', 'healthy'].map((status) => `health_status: ${status}`),
  );
  assert.match(changes, /container health_status: healthy [0-9a-f]{64} \(image=busybox, name=web\)/);
  assert.match(
    await told('container=web', 'event=exec_create'),
    /container exec_create: \/bin\/sh -c echo looked; test -f \/ok [0-9a-f]{64} \(execID=[0-9a-f]{64}, image=busybox, name=web\)/,
  );
  assert.match(
    await told('container=web', 'event=exec_die'),
    /\(execID=[0-9a-f]{64}, exitCode=1, image=busybox, name=web\)/,
  );
});

test('who watches events hears of a change as it comes', async () => {
  const events = spawn('docker', ['events', '-f', 'event=health_status', '--format', '{{.Action}}'], {
    env: { ...process.env, DOCKER_HOST: engine.host },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let told = '';
  events.stdout.on('data', (chunk) => (told += chunk));
  try {
    await runChecked('web');
    await until(() => told.includes('health_status: healthy'), patienceMs);
    assert.equal((await healthOf('web')).Status, 'healthy');
  } finally {
    events.kill();
  }
});

test('the image’s check is inherited field by field; --no-healthcheck takes it away', async () => {
  const change = 'HEALTHCHECK --interval=100ms --timeout=7s --retries=4 CMD test -f /ok';
  await engine.dockerWith(busyboxTar(), 'import', '--change', change, '-', 'checked');
  await docker('run', '-d', '--name', 'own', '--health-retries', '9', 'checked', 'sh', '-c', 'touch /ok; sleep 1000');
  await turns('own', 'healthy');
  assert.deepEqual((await inspected('own')).Config.Healthcheck, {
    Test: ['CMD-SHELL', 'test -f /ok'],
    Interval: 100_000_000,
    Timeout: 7_000_000_000,
    Retries: 9,
  });
  await docker('run', '-d', '--name', 'none', '--no-healthcheck', 'checked', 'sleep', '1000');
  const { Config, State } = await inspected('none');
  assert.deepEqual([Config.Healthcheck.Test, State.Health], [['NONE'], undefined]);
  assert.doesNotMatch(await shown('none'), /health/);
  assert.match(await docker('ps', '-f', 'health=none', '--format', '{{.Names}}'), /^none$/m);
});

test('a probe that takes too long is ended with all that it has started', async () => {
  const check = ['--health-cmd', 'echo begun; sleep 7654 & sleep 7655; true', '--health-interval', '100ms'];
  await docker(
    'run',
    '-d',
    '--name',
    'slow',
    ...check,
    '--health-timeout',
    '300ms',
    '--health-retries',
    '1',
    'busybox',
    'sleep',
    '1000',
  );
  await turns('slow', 'unhealthy');
  const [result] = (await healthOf('slow')).Log;
  assert.deepEqual([result?.ExitCode, result?.Output], [-1, 'Health check exceeded timeout (300ms): begun\n']);
  // One after the other, each ended: never two at once.
  for (let look = 0; look < 20; look++) assert(processes().filter((line) => line.endsWith('sleep 7655')).length <= 1);
  await docker('stop', '-t', '0', 'slow');
  await until(() => !runs('sleep 7654') && !runs('sleep 7655'), patienceMs);
});

test('a stop and a pause end a probe that runs, and nothing is probed meanwhile', async () => {
  const check = ['--health-cmd', 'sleep 7656', '--health-interval', '100ms', '--health-timeout', '60s'];
  await docker('run', '-d', '--name', 'long', ...check, 'busybox', 'sleep', '1000');
  await until(() => runs('sleep 7656'), patienceMs);
  await docker('pause', 'long');
  assert.equal((await healthOf('long')).Status, 'unhealthy');
  await docker('unpause', 'long');
  await until(() => runs('sleep 7656'), patienceMs);
  await docker('stop', '-t', '0', 'long');
  await until(() => !runs('sleep 7656'), patienceMs);
  const { State } = await inspected('long');
  assert.deepEqual([State.Status, State.Health.Status, State.Health.Log], ['exited', 'unhealthy', []]);
});

test('a container stays healthy over a restart of the engine, and is probed on', async () => {
  await runChecked('web');
  await turns('web', 'healthy');
  await engine.stop();
  await engine.start();
  assert.equal((await healthOf('web')).Status, 'healthy');
  await docker('exec', 'web', 'rm', '/ok');
  await turns('web', 'unhealthy');
});

test('after the exec driver was killed probing goes on, and no probe is left over', {
  skip: inOneProcess,
}, async () => {
  const check = [
    '--health-cmd',
    'test -f /slow && sleep 7657; true',
    '--health-interval',
    '100ms',
    '--health-timeout',
    '60s',
  ];
  await docker('run', '-d', '--name', 'web', ...check, 'busybox', 'sleep', '1000');
  await turns('web', 'healthy');
  await docker('exec', 'web', 'touch', '/slow');
  await until(() => runs('sleep 7657'), patienceMs);
  await docker('exec', 'web', 'rm', '/slow');
  const before = (await healthOf('web')).Log.at(-1)?.End ?? '';
  process.kill(engine.pidOf('execdriver'), 'SIGKILL');
  await until(() => !runs('sleep 7657'), patienceMs);
  await until(async () => ((await healthOf('web')).Log.at(-1)?.End ?? '') > before, patienceMs);
  assert.deepEqual([(await healthOf('web')).Status, (await healthOf('web')).FailingStreak], ['healthy', 0]);
});

test('a check whose command is not there is unhealthy, and its words are kept', async () => {
  const check = ['--health-cmd', 'x', '--health-interval', '100ms', '--health-retries', '1'];
  await docker('run', '-d', '--name', 'bad', ...check, '--entrypoint', 'sleep', 'busybox', '1000');
  await turns('bad', 'unhealthy');
  assert.match((await healthOf('bad')).Log[0]?.Output ?? '', /x: not found/);
});

test('absurd checks are refused in Docker’s words', async () => {
  const refused = async (flags: string[], words: RegExp) => {
    const { code, stderr } = await engine.docker('create', '--health-cmd', 'true', ...flags, 'busybox', 'true');
    assert.equal(code, 1);
    assert.match(stderr, words);
  };
  for (const [flag, name] of [
    ['--health-interval', 'Interval'],
    ['--health-timeout', 'Timeout'],
    ['--health-start-period', 'StartPeriod'],
    ['--health-start-interval', 'StartInterval'],
  ] as const) {
    await refused(
      [flag, '1us'],
      new RegExp(`Error response from daemon: ${name} in Healthcheck cannot be less than 1ms`),
    );
  }
});
