import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { after, before, test } from 'node:test';
import { bootEngine, type Engine, until } from '../engine.ts';
import { ask } from '../engine-api/ask.ts';
import { importBusybox } from '../images.ts';
import { nothing } from '../machine.ts';
import { onTerminal } from './terminal.ts';

let engine: Engine;
const docker = (...args: string[]) => engine.dockerWith(undefined, ...args);
const status = async (name: string) => (await docker('inspect', '-f', '{{.State.Status}}', name)).trim();
const size = { rows: 24, columns: 80 };

before(async () => {
  engine = await bootEngine();
  await importBusybox(engine);
});
after(async () => {
  await engine.dispose();
  assert.deepEqual(engine.state(), nothing);
});

/** Actions told of a container. */
async function told(name: string): Promise<string[]> {
  const args = ['--until', String(Date.now() / 1000), '--filter', `container=${name}`];
  return (await docker('events', ...args, '--format', '{{.Action}}')).split('\n').filter(Boolean);
}

/** The CLI at work without a terminal. */
function client(...args: string[]) {
  const child = spawn('docker', args, { env: { ...process.env, DOCKER_HOST: engine.host }, stdio: 'pipe' });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk));
  const ended = once(child, 'close').then(([code, signal]) => code ?? signal);
  return { child, output: () => output, ended };
}

test('the detach keys let go of a terminal, ours and those that are asked for', async () => {
  const run = onTerminal(engine, ['run', '-it', '--name', 'term', 'busybox', 'sh'], size);
  await run.says('#');
  run.type('echo $((40+2))\n');
  await run.says('42');
  run.type('\x10\x11');
  await run.ended;
  assert.equal(await status('term'), 'running');
  const again = onTerminal(engine, ['attach', '--detach-keys', 'ctrl-x,x', 'term'], size);
  again.type('echo $((50+5))\n');
  await again.says('55');
  // Not the whole sequence: both keys are the shell's.
  again.type('\x18echo $((60+6))\n');
  await again.says('66');
  again.type('\x18x');
  await again.ended;
  assert.equal(await status('term'), 'running');
  const last = onTerminal(engine, ['attach', 'term'], size);
  last.type('exit 6\n');
  assert.equal(await last.ended, 6);
  assert.ok((await told('term')).includes('resize'));
  await docker('rm', 'term');
});

test('an exec that is let go of, or whose client is killed, runs on', async () => {
  await docker('run', '-d', '--name', 'host', 'busybox', 'sleep', '1000');
  const exec = onTerminal(engine, ['exec', '-it', 'host', 'sh', '-c', 'echo ready; exec sleep 997'], size);
  await exec.says('ready');
  exec.type('\x10\x11');
  await exec.ended;
  assert.match(await docker('top', 'host'), /sleep 997/);
  // Nor does a client that is killed take its exec along.
  const cut = client('exec', '-i', 'host', 'sh', '-c', 'echo ready; exec sleep 996');
  await until(() => cut.output().includes('ready'), 10_000);
  cut.child.kill('SIGKILL');
  await cut.ended;
  assert.match(await docker('top', 'host'), /sleep 996/);
  await docker('rm', '-f', 'host');
});

test('signals of the client are the container’s, but for --sig-proxy=false', async () => {
  const script = 'trap "echo HUP" HUP; trap "echo TERM; exit 8" TERM; echo ready; while :; do sleep 0.02; done';
  const run = client('run', '--name', 'signalled', 'busybox', 'sh', '-c', script);
  await until(() => run.output().includes('ready'), 10_000);
  run.child.kill('SIGHUP');
  await until(() => run.output().includes('HUP'), 10_000);
  const deaf = client('attach', '--sig-proxy=false', 'signalled');
  const mute = client('attach', '--no-stdin', 'signalled');
  await until(async () => (await told('signalled')).filter((action) => action === 'attach').length === 3, 10_000);
  deaf.child.kill('SIGQUIT');
  await deaf.ended;
  assert.equal(await status('signalled'), 'running');
  mute.child.kill('SIGTERM');
  assert.equal(await mute.ended, 8);
  assert.equal(await run.ended, 8);
  assert.match(mute.output(), /TERM/);
  await docker('rm', 'signalled');
});

test('stdin goes up from any client but from --no-stdin, and all clients see all output', async () => {
  await docker('run', '-d', '-i', '--name', 'shared', 'busybox', 'sh', '-c', 'while read x; do echo "<$x>"; done');
  const [one, other, mute] = [
    client('attach', 'shared'),
    client('attach', 'shared'),
    client('attach', '--no-stdin', 'shared'),
  ];
  await until(async () => (await told('shared')).filter((action) => action === 'attach').length === 3, 10_000);
  one.child.stdin.write('from one\n');
  await until(() => [one, other, mute].every(({ output }) => output().includes('<from one>')), 10_000);
  other.child.stdin.write('from other\n');
  await until(() => [one, other, mute].every(({ output }) => output().includes('<from other>')), 10_000);
  mute.child.stdin.end('from mute\n');
  one.child.stdin.write('last\n');
  await until(() => [one, other, mute].every(({ output }) => output().includes('<last>')), 10_000);
  assert.doesNotMatch(one.output(), /mute/);
  await docker('rm', '-f', 'shared');
  assert.deepEqual(await Promise.all([one.ended, other.ended, mute.ended]), [137, 137, 137]);
});

test('exec has its own exit code, environment, place, user, privilege and terminal, and inspect shows it', async () => {
  await docker('run', '-d', '--name', 'home', '-e', 'A=1', 'busybox', 'sleep', '1000');
  const flags = ['-e', 'B=2', '-w', '/var', '-u', 'dock:extra', '-i'];
  const out = await engine.dockerWith(
    Buffer.from('in'),
    'exec',
    ...flags,
    'home',
    'sh',
    '-c',
    'cat; echo " $A $B $(pwd) $(id -u):$(id -g)"',
  );
  assert.equal(out, 'in 1 2 /var 1000:2000\n');
  const shell = onTerminal(engine, ['exec', '-it', 'home', 'sh', '-c', 'echo ready; read x'], {
    rows: 33,
    columns: 111,
  });
  await shell.says('ready');
  const [id] = JSON.parse(await docker('inspect', '-f', '{{json .ExecIDs}}', 'home')) as string[];
  const response = await fetchJson(`/exec/${id}/json`);
  const { ProcessConfig, ...rest } = response;
  assert.deepEqual(ProcessConfig, {
    tty: true,
    entrypoint: 'sh',
    arguments: ['-c', 'echo ready; read x'],
    privileged: false,
  });
  assert.deepEqual(
    [rest.Running, rest.ExitCode, rest.OpenStdin, rest.OpenStdout, rest.ContainerID.length, rest.Pid > 1],
    [true, null, true, true, 64, true],
  );
  shell.type('\n');
  assert.equal(await shell.ended, 0);
  await until(async () => (await fetchJson(`/exec/${id}/json`)).Running === false, 10_000);
  assert.equal((await fetchJson(`/exec/${id}/json`)).ExitCode, 0);
  await docker('rm', '-f', 'home');
});

interface ExecJson {
  ProcessConfig: object;
  Running: boolean;
  ExitCode: number | null;
  OpenStdin: boolean;
  OpenStdout: boolean;
  ContainerID: string;
  Pid: number;
}

async function fetchJson(path: string): Promise<ExecJson> {
  return JSON.parse((await ask(engine, 'GET', path)).body);
}
