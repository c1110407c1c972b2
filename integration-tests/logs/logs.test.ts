import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import { bootEngine, type Engine, inOneProcess, until } from '../engine.ts';
import { importBusybox } from '../images.ts';
import { nothing } from '../machine.ts';
import { times } from '../seed.ts';

let engine: Engine;
const docker = (...args: string[]) => engine.dockerWith(undefined, ...args);
/** Runs a script to its end and leaves the container. */
const ran = async (name: string, script: string, ...options: string[]) => {
  await engine.docker('run', '--name', name, '--network', 'none', ...options, 'busybox', 'sh', '-c', script);
  return name;
};
/** Both streams as bytes. */
const logsOf = async (...args: string[]) => {
  const child = spawn('docker', ['logs', ...args], { env: { ...process.env, DOCKER_HOST: engine.host } });
  const [stdout, stderr] = await Promise.all([buffer(child.stdout), buffer(child.stderr)]);
  return { stdout, stderr };
};
const counting = (count: number, pause = '') =>
  `i=0; while [ $i -lt ${count} ]; do i=$((i+1)); echo line $i; ${pause} done`;
const lines = (count: number) => Array.from({ length: count }, (_, at) => `line ${at + 1}\n`).join('');

before(async () => {
  engine = await bootEngine({ flags: ['--log-driver', 'local', '--log-opt', 'max-size=8m'] });
  await importBusybox(engine);
});
after(async () => {
  await engine.dispose();
  assert.deepEqual(engine.state(), nothing);
});

test('--tail, -t, --since and --until', async () => {
  const name = await ran('bounds', 'echo one; echo two >&2; sleep 0.3; echo three; printf four');
  const { stdout, stderr } = await logsOf('-t', name);
  const stamped = [...stdout.toString().matchAll(/^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z) (\w+)$/gm)];
  assert.deepEqual(
    stamped.map(([, , text]) => text),
    ['one', 'three', 'four'],
  );
  assert.match(stderr.toString(), /^\S+Z two\n$/);
  const [first = '', , third = ''] = [stamped[0]?.[1], '', stamped[1]?.[1]];
  assert.equal(await docker('logs', '--since', third, name), 'three\nfour');
  assert.equal(await docker('logs', '--until', first, name), 'one\n');
  assert.equal(await docker('logs', '--tail', '2', name), 'three\nfour');
  assert.equal(await docker('logs', '--tail', '0', name), '');
  assert.equal(await docker('logs', '--since', '1h', '--tail', '1', name), 'four');
});

test('logs keep any bytes, and a line of any length is one', async () => {
  const name = await ran(
    'binary',
    'head -c 60000 /dev/zero; echo; printf "\\001\\377\\r\\033[1m\\200end"; head -c 40000 /dev/zero >&2',
  );
  const { stdout, stderr } = await logsOf(name);
  const expected = Buffer.concat([Buffer.alloc(60_000), Buffer.from('\n\x01\xff\r\x1b[1m\x80end', 'latin1')]);
  assert.ok(stdout.equals(expected));
  assert.ok(stderr.equals(Buffer.alloc(40_000)));
  const stamped = await logsOf('-t', name);
  // A time in front of each line, and nowhere within.
  assert.equal(stamped.stdout.length, expected.length + 2 * '2026-01-02T03:04:05.000000000Z '.length);
});

test('a terminal’s log is one stream', async () => {
  const name = await ran('terminal', 'echo out; echo err >&2', '-t');
  assert.equal(await docker('logs', name), 'out\r\nerr\r\n');
});

test('a follower sees each line once across rotations and deaths of execdriver and gateway’s peers', {
  skip: inOneProcess,
}, async () => {
  const count = times(8_000);
  const limits = ['--log-opt', 'max-size=4k', '--log-opt', 'max-file=1000'];
  await docker(
    'run',
    '-d',
    '--name',
    'long',
    '--network',
    'none',
    ...limits,
    'busybox',
    'sh',
    '-c',
    counting(count, 'sleep 0.01;'),
  );
  const following = logsOf('-f', 'long');
  const late = logsOf('-f', '--tail', '0', 'long');
  for (let death = 0; death < 4; death++) {
    await until(async () => (await engine.docker('logs', '--tail', '1', 'long')).stdout !== '', 10_000);
    process.kill(engine.pidOf('execdriver'), 'SIGKILL');
    await until(async () => (await engine.docker('logs', '--tail', '1', 'long')).code === 0, 10_000);
  }
  assert.equal((await following).stdout.toString(), lines(count));
  const tail = (await late).stdout.toString();
  assert.ok(tail.length > 0 && lines(count).endsWith(tail));
  assert.equal(await docker('logs', 'long'), lines(count));
  const id = (await docker('inspect', '-f', '{{.Id}}', 'long')).trim();
  assert.ok(readdirSync(join(engine.dataRoot, 'execdriver/logs', id)).length > 1);
});

test('of a container that writes as fast as it can --tail 1 is one line', async () => {
  await docker('run', '-d', '--name', 'fast', '--network', 'none', 'busybox', 'yes', 'the quick brown fox');
  await until(async () => (await docker('logs', '--tail', '1', 'fast')) !== '', 10_000);
  for (let round = 0; round < 20; round++) {
    // What was written then may end within a line.
    assert.match(await docker('logs', '--tail', '1', 'fast'), /^[a-z ]+\n?$/);
  }
  await docker('rm', '-f', 'fast');
});

test('docker logs ends where it was asked for, though its reader is slower than the container', async () => {
  const line = 'x'.repeat(99);
  const script = `yes ${line} | head -n 40000; echo asked; cat`;
  const env = { ...process.env, DOCKER_HOST: engine.host };
  const options = ['--name', 'outpaced', '--network', 'none', '--log-opt', 'max-size=-1'];
  const writer = spawn('docker', ['run', '-i', ...options, 'busybox', 'sh', '-c', script], {
    env,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  await until(async () => (await engine.docker('logs', '--tail', '1', 'outpaced')).stdout === 'asked\n', 20_000);
  const id = (await docker('inspect', '-f', '{{.Id}}', 'outpaced')).trim();
  const logged = () => statSync(join(engine.dataRoot, 'execdriver/logs', id, 'container.log')).size;
  const expected = `${`${line}\n`.repeat(40_000)}asked\n`;
  let seen = '';
  const reader = spawn('docker', ['logs', 'outpaced'], { env, stdio: ['ignore', 'pipe', 'ignore'] });
  for await (const chunk of reader.stdout) {
    seen += chunk;
    if (seen.length > expected.length) break;
    // For all that is taken as much is written, and more is taken only then.
    const size = logged();
    writer.stdin.write(chunk);
    await until(() => logged() > size + chunk.length, 20_000);
  }
  assert.ok(seen === expected, `${seen.length} bytes instead of ${expected.length}`);
  const ended = once(writer, 'exit');
  writer.stdin.end();
  assert.deepEqual(await ended, [0, null]);
});

test('the engine’s own log driver and options are what a container gets that names none', async () => {
  const name = await ran('usual', 'echo x');
  const config = async (of: string) => JSON.parse(await docker('inspect', '-f', '{{json .HostConfig.LogConfig}}', of));
  assert.deepEqual(await config(name), { Type: 'local', Config: { 'max-size': '8m' } });
  await ran('own', 'echo x', '--log-driver', 'json-file', '--log-opt', 'max-file=2');
  assert.deepEqual(await config('own'), { Type: 'json-file', Config: { 'max-file': '2' } });
  const info = JSON.parse(await docker('info', '--format', '{{json .}}'));
  assert.deepEqual([info.LoggingDriver, info.Plugins.Log], ['local', ['journald', 'json-file', 'local', 'syslog']]);
});

test('wrong drivers and options are refused in Docker’s words', async () => {
  const refused = async (...options: string[]) => (await engine.docker('create', ...options, 'busybox')).stderr;
  assert.match(await refused('--log-driver', 'gelf'), /logger: no log driver named 'gelf' is registered/);
  const unknown = await refused('--log-driver', 'json-file', '--log-opt', 'x=1');
  assert.match(unknown, /unknown log opt 'x' for json-file log driver/);
  assert.match(await refused('--log-driver', 'syslog', '--log-opt', 'syslog-facility=x'), /invalid syslog facility/);
});

test('with the driver none there is nothing to read, and attached clients see all the same', async () => {
  assert.equal(await docker('run', '--name', 'mute', '--log-driver', 'none', 'busybox', 'echo', 'seen'), 'seen\n');
  const { code, stderr } = await engine.docker('logs', 'mute');
  assert.equal(code, 1);
  assert.match(stderr, /configured logging driver does not support reading/);
});

test('--details shows what the log’s options choose', async () => {
  const options = ['--log-opt', 'labels=tier', '--log-opt', 'env=STAGE', '--label', 'tier=front', '-e', 'STAGE=a b'];
  const name = await ran('detailed', 'echo text', ...options, '--log-opt', 'tag={{.Name}}');
  assert.equal(await docker('logs', '--details', name), 'STAGE=a%20b,tag=detailed,tier=front text\n');
  assert.equal(await docker('logs', '--details', 'usual'), ' x\n');
});

test('syslog gets each line, from a container that is gone at once too, and docker logs reads them', async (t) => {
  const server = createSocket('udp4');
  const messages: string[] = [];
  server.on('message', (message) => messages.push(String(message)));
  await new Promise<void>((resolve) => server.bind(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  const address = `syslog-address=udp://127.0.0.1:${server.address().port}`;
  const options = ['--log-driver', 'syslog', '--log-opt', address, '--log-opt', 'syslog-format=rfc5424'];
  const name = await ran('loud', 'echo out; echo err >&2', ...options, '--log-opt', 'tag={{.ImageName}}/{{.Name}}');
  assert.equal(await docker('logs', name), 'out\n');
  await docker('run', '--rm', '--network', 'none', ...options, '--log-opt', 'tag=gone', 'busybox', 'echo', 'brief');
  await until(() => messages.length === 3, 5_000);
  const seen = messages.map((message) => /^<(\d+)>1 \S+ \S+ (\S+) \d+ \2 - (.*)\n$/.exec(message)?.slice(1).join(' '));
  assert.deepEqual(seen.sort(), ['27 busybox/loud err', '30 busybox/loud out', '30 gone brief']);
});
