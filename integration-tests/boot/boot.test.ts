import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import { bootEngine, type EngineOptions, longshore, placeEngine } from '../engine.ts';
import { importBusybox } from '../images.ts';
import { nothing } from '../machine.ts';

async function engineFor(t: TestContext, options: EngineOptions = {}) {
  const engine = await bootEngine(options);
  t.after(() => engine.dispose());
  return engine;
}

const steps = [
  'check configuration',
  'lock the roots',
  'claim pidfile',
  'check system',
  'make work directories',
  'start services',
  'resolve MTU',
  'load graph driver',
  'check SELinux',
  'open container repository',
  'migrate earlier layouts',
  'open image graph and tag store',
  'open volumes',
  'init network driver',
  'open link graph',
  'probe host',
  'load exec driver',
  'build the daemon',
  'check DNS configuration',
  'restore containers',
  'accept connections',
];

test('every boot step is a line with its duration, and a stop with no container leaves nothing', async (t) => {
  const engine = await engineFor(t);
  const lines = engine.output().split('\n');
  const told = lines.flatMap((line) => /^\s+\d+ ms {2}(.{1,30})/.exec(line)?.[1]?.trim() ?? []);
  assert.deepEqual(told, steps);
  const forwarding = execFileSync('sysctl', ['-n', 'net.ipv4.ip_forward'], { encoding: 'utf8' });
  assert.equal(forwarding, '1\n');
  assert.equal(await engine.stop(), 0);
  assert.deepEqual(engine.state(), nothing);
  assert.equal(existsSync(`${engine.execRoot}/docker.sock`), false);
  assert.equal(existsSync(`${engine.execRoot}/longshore.pid`), false);
});

test('under live restore a container keeps its pid across a stop and the next start', async (t) => {
  const engine = await engineFor(t);
  await importBusybox(engine);
  await engine.dockerWith(undefined, 'run', '-d', '--name', 'lasting', '-p', '0:80', 'busybox', 'sleep', '1000');
  const pid = await engine.dockerWith(undefined, 'inspect', '-f', '{{.State.Pid}}', 'lasting');
  assert.equal(await engine.stop(), 0);
  process.kill(Number(pid), 0);
  await engine.start();
  assert.equal(await engine.dockerWith(undefined, 'inspect', '-f', '{{.State.Pid}}', 'lasting'), pid);
  await engine.dockerWith(undefined, 'rm', '-f', 'lasting');
  await engine.stop();
  assert.deepEqual(engine.state(), nothing);
});

test('with --live-restore=false a stop ends the containers and leaves nothing', async (t) => {
  const engine = await engineFor(t, { flags: ['--live-restore=false'] });
  await importBusybox(engine);
  await engine.dockerWith(undefined, 'run', '-d', '--stop-timeout', '1', '-p', '0:80', 'busybox', 'sleep', '1000');
  assert.equal(await engine.stop(), 0);
  assert.deepEqual(engine.state(), nothing);
});

test('a second engine on the same root is refused, and the first is unharmed', async (t) => {
  const engine = await engineFor(t);
  const refused = refusal([
    '--data-root',
    engine.dataRoot,
    '--exec-root',
    engine.execRoot,
    '--bridge-name',
    'lsnever0',
  ]);
  assert.match(refused, /^longshore: another engine is running on .*pid \d+.*: stop it, or use another --data-root/m);
  assert.equal((await engine.docker('version')).code, 0);
});

test('--embedded boots all seven in one process', async (t) => {
  const engine = await engineFor(t, { flags: ['--embedded'] });
  await importBusybox(engine);
  assert.equal(await engine.dockerWith(undefined, 'run', '--rm', 'busybox', 'echo', 'hello'), 'hello\n');
  assert.equal(
    engine.state().processes.filter((line) => line.includes('.cjs') && !line.includes('bin/longshore')).length,
    1,
  );
  assert.equal(await engine.stop(), 0);
  assert.deepEqual(engine.state(), nothing);
});

test('a boot that fails after any step leaves nothing behind', async (t) => {
  for (const step of steps) {
    await t.test(step, async () => {
      const engine = await placeEngine({ environment: { LONGSHORE_FAIL_AFTER: step } });
      await assert.rejects(engine.start(), /failed on purpose/);
      assert.deepEqual(engine.state(), nothing);
      assert.equal(existsSync(`${engine.execRoot}/docker.sock`), false);
      assert.equal(existsSync(`${engine.execRoot}/longshore.pid`), false);
      await engine.dispose();
    });
  }
});

/** The one line on stderr of a daemon that refuses to start. */
function refusal(flags: string[]): string {
  try {
    execFileSync(longshore, ['daemon', ...flags], {
      stdio: ['ignore', 'pipe', 'pipe'],
      encoding: 'utf8',
      timeout: 60_000,
    });
  } catch (error) {
    const { status, stderr } = error as { status: number; stderr: string };
    assert.equal(status, 1, stderr);
    return stderr;
  }
  throw new Error('it started');
}

for (const [flags, line] of [
  [['--no-such-flag'], /^error: unknown option '--no-such-flag'/],
  [['--bip', '10.0.0.1'], /^longshore: --bip: "10\.0\.0\.1" is not an IPv4 address with its prefix length/],
  [['-b', 'br0', '--bip', '10.0.0.1/24'], /You specified -b & --bip, mutually exclusive options/],
  [['--storage-driver', 'zfs'], /zfs/],
  [
    ['--execdriver-endpoint', 'unix:///tmp/nobody-is-there.sock'],
    /execdriver does not answer at unix:\/\/\/tmp\/nobody/,
  ],
  [['-b', 'ls-no-such-br'], /bridge.*ls-no-such-br|ls-no-such-br.*bridge/i],
] as const) {
  test(`${flags.join(' ')} is refused in one line, exit 1, all undone`, async () => {
    const engine = await placeEngine();
    const roots = ['--data-root', engine.dataRoot, '--exec-root', engine.execRoot, '--bridge-name', engine.bridge];
    const told = refusal([...roots, ...flags]);
    const last = told.trim().split('\n').at(-1) ?? '';
    assert.match(last, line);
    assert.deepEqual(engine.state(), nothing);
    await engine.dispose();
  });
}

test('a root that cannot be written is refused in one line', () => {
  assert.match(
    refusal(['--data-root', '/proc/longshore', '--exec-root', '/proc/longshore']),
    /^longshore: cannot use \/proc\/longshore: /m,
  );
});
