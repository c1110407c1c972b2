import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { after, before, beforeEach, test } from 'node:test';
import { bootEngine, type Engine, inOneProcess, until } from '../engine.ts';
import { importBusybox } from '../images.ts';
import { nothing } from '../machine.ts';
import { onTerminal, startDocker } from './terminal.ts';

let engine: Engine;
const docker = (...args: string[]) => engine.dockerWith(undefined, ...args);
const exec = (...args: string[]) => engine.docker('exec', ...args);
const inside = (...args: string[]) => docker('exec', 'host', ...args);

before(async () => {
  engine = await bootEngine();
  await importBusybox(engine);
});
beforeEach(async () => {
  await engine.docker('rm', '-f', 'host');
  await docker('run', '-d', '--name', 'host', '-e', 'FROM=container', '-w', '/var', 'busybox', 'sleep', '1000');
});
after(async () => {
  await engine.dispose();
  assert.deepEqual(engine.state(), nothing);
});

test('exec runs a command in the container: its output apart, its exit code, its place and environment', async () => {
  const script = 'echo $FROM $(pwd) $(hostname); cat /proc/1/cmdline; echo err >&2; exit 7';
  const { code, stdout, stderr } = await exec('host', 'sh', '-c', script);
  const id = (await docker('inspect', '-f', '{{.Id}}', 'host')).slice(0, 12);
  assert.deepEqual([code, stdout, stderr], [7, `container /var ${id}\nsleep\u00001000\u0000`, 'err\n']);
});

test('-e, -w and -u reach the command; without -u it is who the container is', async () => {
  const script = 'echo $FROM $ADDED $(pwd) $(id -u):$(id -g) $(id -G) $HOME';
  const flags = ['-e', 'ADDED=x', '-e', 'FROM=exec', '-w', '/tmp', '-u', 'dock'];
  assert.equal(
    await docker('exec', ...flags, 'host', 'sh', '-c', script),
    'exec x /tmp 1000:1000 1000 2000 /home/dock\n',
  );
  assert.equal(await inside('id', '-u'), '0\n');
});

test('--privileged has capabilities that the container lacks', async () => {
  const effective = async (...flags: string[]) => {
    const line = await docker('exec', ...flags, 'host', 'grep', 'CapEff', '/proc/self/status');
    return BigInt(`0x${line.split(/\s+/)[1]}`);
  };
  const capSysAdmin = 1n << 21n;
  assert.equal((await effective()) & capSysAdmin, 0n);
  assert.equal((await effective('--privileged')) & capSysAdmin, capSysAdmin);
});

test('-i hands on a large input and gives a large output back, each to the last byte', async () => {
  const input = randomBytes(8 * 1024 * 1024).toString('base64');
  const sum = createHash('md5').update(input).digest('hex');
  assert.equal(await engine.dockerWith(Buffer.from(input), 'exec', '-i', 'host', 'md5sum'), `${sum}  -\n`);
  const back = await engine.dockerWith(Buffer.from(input), 'exec', '-i', 'host', 'cat');
  assert.equal(createHash('md5').update(back).digest('hex'), sum);
});

test('nothing that is written right before the end is lost', async () => {
  for (let round = 0; round < 10; round++) {
    const { code, stdout } = await exec('host', 'sh', '-c', 'head -c 200000 /dev/zero; printf last; exit 3');
    assert.deepEqual([code, stdout.length, stdout.slice(-4)], [3, 200_004, 'last']);
  }
});

test('-it gives a terminal of the client’s size, and ctrl-c reaches the command, not the client', async () => {
  const script = 'trap "echo interrupted; exit 5" INT; stty size; echo ready; while :; do sleep 0.05; done';
  const shell = onTerminal(engine, ['exec', '-it', 'host', 'sh', '-c', script], { rows: 33, columns: 99 });
  await shell.says('ready');
  assert.match(shell.output(), /33 99/);
  shell.type('\x03');
  assert.equal(await shell.ended, 5);
  assert.match(shell.output(), /interrupted/);
});

test('the detach keys leave the command running', async () => {
  const command = ['exec', '-it', '--detach-keys', 'ctrl-a,b', 'host', 'sh', '-c', 'echo ready; exec sleep 998'];
  const shell = onTerminal(engine, command, { rows: 20, columns: 70 });
  await shell.says('ready');
  shell.type('\x01b');
  await shell.ended;
  assert.match(await docker('top', 'host'), /sleep 998/);
  const [inspected] = JSON.parse(await docker('inspect', 'host'));
  assert.equal(inspected.ExecIDs.length, 1);
});

test('-d answers when it runs, and it goes on by itself', async () => {
  assert.equal(await docker('exec', '-d', 'host', 'sh', '-c', 'echo done >/tmp/made'), '');
  await until(async () => (await exec('host', 'cat', '/tmp/made')).stdout === 'done\n', 10_000);
});

test('an unknown command is 127, one that is not executable 126, an unknown user refused, each with Docker’s words', async () => {
  const preface = 'OCI runtime exec failed: exec failed: unable to start container process: exec:';
  for (const flags of [[], ['-t']]) {
    const unknown = await exec(...flags, 'host', 'no-such-command');
    assert.deepEqual(
      [unknown.code, unknown.stdout],
      [127, `${preface} "no-such-command": executable file not found in $PATH: unknown\r\n`],
    );
    const notExecutable = await exec(...flags, 'host', '/etc/not-executable');
    assert.deepEqual(
      [notExecutable.code, notExecutable.stdout],
      [126, `${preface} "/etc/not-executable": permission denied: unknown\r\n`],
    );
  }
  const user = await exec('-u', 'nobody-here', 'host', 'true');
  assert.deepEqual(
    [user.code, user.stderr],
    [1, 'Error response from daemon: unable to find user nobody-here: no matching entries in passwd file\n'],
  );
  const detached = await exec('-d', 'host', 'no-such-command');
  assert.match(detached.stderr, /executable file not found in \$PATH/);
  assert.notEqual(detached.code, 0);
});

test('a container that does not run, is paused or unknown has no execs', async () => {
  const id = (await docker('inspect', '-f', '{{.Id}}', 'host')).trim();
  await docker('pause', 'host');
  assert.match((await exec('host', 'true')).stderr, /Container host is paused, unpause the container before exec/);
  await docker('unpause', 'host');
  await docker('stop', '-t', '0', 'host');
  const stopped = await exec('host', 'true');
  assert.deepEqual([stopped.code, stopped.stderr], [1, `Error response from daemon: container ${id} is not running\n`]);
  assert.match((await exec('nowhere', 'true')).stderr, /No such container: nowhere/);
});

test('an exec ends with its container', async () => {
  const running = exec('host', 'sleep', '997');
  await until(async () => (await docker('top', 'host')).includes('sleep 997'), 10_000);
  await docker('kill', 'host');
  assert.equal((await running).code, 137);
});

test('events tell an exec’s making, start and end, in order and with id and code', async () => {
  const since = String(Date.now() / 1000);
  await exec('host', 'sh', '-c', 'exit 3');
  const format = '{{.Action}}|{{.Actor.Attributes.name}}|{{.Actor.Attributes.exitCode}}|{{.Actor.Attributes.execID}}';
  const told = async () => {
    const until = String(Date.now() / 1000 + 0.1);
    const filters = ['exec_create', 'exec_start', 'exec_die'].flatMap((event) => ['--filter', `event=${event}`]);
    const out = await docker('events', '--since', since, '--until', until, '--format', format, ...filters);
    return out.trim().split('\n');
  };
  await until(async () => (await told()).length >= 3, 10_000);
  const rows = (await told()).map((line) => line.split('|'));
  assert.deepEqual(
    rows.map(([action, name, code]) => [action, name, code]),
    [
      ['exec_create: sh -c exit 3', 'host', '<no value>'],
      ['exec_start: sh -c exit 3', 'host', '<no value>'],
      ['exec_die', 'host', '3'],
    ],
  );
  assert.equal(new Set(rows.map(([, , , id]) => id)).size, 1);
});

test('the coordinator’s death cuts no exec, and the end of it is told by the next one', {
  skip: inOneProcess,
}, async () => {
  const since = String(Date.now() / 1000);
  const running = startDocker(engine, [
    'exec',
    'host',
    'sh',
    '-c',
    'echo begun; while [ ! -e /tmp/go ]; do sleep 0.05; done; exit 4',
  ]);
  await running.says('begun');
  process.kill(engine.pidOf('daemon'), 'SIGKILL');
  await until(async () => (await exec('host', 'touch', '/tmp/go')).code === 0, 20_000);
  assert.equal(await running.ended, 4);
  const deaths = async () => {
    const until = String(Date.now() / 1000 + 0.1);
    const format = '{{.Actor.Attributes.exitCode}}';
    const out = await docker(
      'events',
      '--since',
      since,
      '--until',
      until,
      '--filter',
      'event=exec_die',
      '--format',
      format,
    );
    return out.trim().split('\n').sort();
  };
  await until(async () => (await deaths()).includes('4'), 10_000);
  assert.equal((await deaths()).filter((code) => code === '4').length, 1);
});
