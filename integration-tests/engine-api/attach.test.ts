import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { after, before, test } from 'node:test';
import { WebSocket } from 'ws';
import { bootEngine, type Engine, until } from '../engine.ts';
import { importBusybox } from '../images.ts';
import { nothing } from '../machine.ts';
import { ask, type Line, openLine } from './ask.ts';

let engine: Engine;
const docker = (...args: string[]) => engine.dockerWith(undefined, ...args);
const socketPath = () => engine.host.slice('unix://'.length);

before(async () => {
  engine = await bootEngine();
  await importBusybox(engine);
});
after(async () => {
  await engine.dispose();
  assert.deepEqual(engine.state(), nothing);
});

interface Joined {
  socket: WebSocket;
  said(): string;
  /** What kinds of frames came. */
  kinds: Set<string>;
  /** The status of its end, or of the refusal. */
  ended: Promise<number>;
}

function join(container: string, query: string, version = 'v1.51'): Joined {
  const socket = new WebSocket(`ws+unix:${socketPath()}:/${version}/containers/${container}/attach/ws?${query}`);
  const pieces: Buffer[] = [];
  const kinds = new Set<string>();
  socket.on('message', (data, isBinary) => {
    kinds.add(isBinary ? 'binary' : 'text');
    pieces.push(data as Buffer);
  });
  const { promise: ended, resolve, reject } = Promise.withResolvers<number>();
  socket.on('unexpected-response', (_, response) => {
    response.resume();
    resolve(response.statusCode ?? 0);
  });
  socket.on('close', resolve);
  socket.on('error', reject);
  return { socket, said: () => Buffer.concat(pieces).toString(), kinds, ended };
}

const everything = 'stream=1&stdin=1&stdout=1&stderr=1';

test('a WebSocket carries stdin up and both streams down in binary frames, and closes when the container ends', async () => {
  await docker(
    'run',
    '-d',
    '-i',
    '--name',
    'talk',
    'busybox',
    'sh',
    '-c',
    'read x; echo out $x; echo err $x >&2; exit 4',
  );
  const client = join('talk', everything);
  await once(client.socket, 'open');
  client.socket.send('one');
  client.socket.send(Buffer.from(' piece\n'));
  assert.equal(await client.ended, 1000);
  assert.deepEqual(client.said().split('\n').sort(), ['', 'err one piece', 'out one piece']);
  assert.deepEqual([...client.kinds], ['binary']);
  assert.equal(await docker('wait', 'talk'), '4\n');
  await docker('rm', 'talk');
});

test('over a WebSocket a terminal works, its detach keys let go of it, and older clients get all streams unasked', async () => {
  await docker('run', '-dit', '--name', 'shell', 'busybox', 'sh');
  const since = String(Date.now() / 1000);
  const client = join('shell', 'stream=1&detachKeys=ctrl-a,x', 'v1.41');
  await once(client.socket, 'open');
  client.socket.send('echo $((6*7))\n');
  await until(() => client.said().includes('42'), 10_000);
  client.socket.send('\x01x');
  assert.equal(await client.ended, 1000);
  assert.equal(await docker('inspect', '-f', '{{.State.Status}}', 'shell'), 'running\n');
  const told = async () =>
    await docker('events', '--since', since, '--until', String(Date.now() / 1000), '--format', '{{.Action}}');
  await until(async () => (await told()).includes('attach\ndetach\n'), 10_000);
  await docker('rm', '-f', 'shell');
});

test('logs=1 shows what was written before, with stream=1 what comes after it too, each line once', async () => {
  const script = 'i=0; while [ $i -lt 20000 ]; do i=$((i+1)); echo $i; done; read x; echo end';
  await docker('run', '-d', '-i', '--name', 'counts', 'busybox', 'sh', '-c', script);
  await until(async () => (await docker('logs', '--tail', '1', 'counts')) !== '', 10_000);
  const clients = ['logs=1&stream=1', 'logs=1&stream=1'].map((query) => join('counts', `${query}&${everything}`));
  const only = join('counts', 'logs=1&stdout=1');
  assert.equal(await only.ended, 1000);
  assert.match(only.said(), /^1\n2\n3\n/);
  await until(async () => (await docker('logs', '--tail', '1', 'counts')) === '20000\n', 20_000);
  await Promise.all(clients.map(({ socket }) => socket.readyState === WebSocket.OPEN || once(socket, 'open')));
  clients[0]?.socket.send('go\n');
  const expected = `${Array.from({ length: 20_000 }, (_, at) => at + 1).join('\n')}\nend\n`;
  for (const { ended, said } of clients) {
    await ended;
    assert.equal(said(), expected);
  }
  await docker('rm', 'counts');
});

test('what is no WebSocket, an unknown container and a paused one are refused, and the engine goes on', async () => {
  const plain = await ask(engine, 'GET', '/v1.51/containers/nobody/attach/ws');
  assert.deepEqual([plain.status, plain.message], [404, 'No such container: nobody']);
  assert.equal(await join('nobody', everything).ended, 404);
  await docker('run', '-d', '--name', 'still', 'busybox', 'sleep', '1000');
  const { status, message } = await ask(engine, 'GET', '/v1.51/containers/still/attach/ws?stream=1&stdout=1');
  assert.deepEqual([status, message], [400, 'not websocket protocol']);
  await docker('pause', 'still');
  assert.equal(await join('still', everything).ended, 409);
  const paused = await ask(engine, 'POST', '/v1.51/containers/still/attach?stream=1&stdout=1');
  const said = 'container still is paused, unpause the container before attach';
  assert.deepEqual([paused.status, paused.message], [409, said]);
  assert.equal((await ask(engine, 'POST', '/containers/still/attach?detachKeys=ctrl-&stream=1')).status, 400);
  await docker('rm', '-f', 'still');
});

/** Bytes of a multiplexed stream, without its heads. */
function payload(bytes: Buffer): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at + 8 <= bytes.length; ) {
    const size = bytes.readUInt32BE(at + 4);
    parts.push(bytes.subarray(at + 8, at + 8 + size));
    at += 8 + size;
  }
  return Buffer.concat(parts);
}

test('of ten clients two that take nothing stop neither the container nor the others', async () => {
  const size = 6_400_000;
  const script = `read x; yes 0123456789abcde | head -c ${size}; echo last`;
  await docker('run', '-d', '-i', '--name', 'loud', 'busybox', 'sh', '-c', script);
  const query = '/v1.51/containers/loud/attach?stream=1&stdout=1';
  const readers: Line[] = await Promise.all(Array.from({ length: 8 }, () => openLine(engine, query)));
  const deaf = await openLine(engine, query);
  deaf.socket.pause();
  const deafSocket = join('loud', 'stream=1&stdout=1');
  await once(deafSocket.socket, 'open');
  deafSocket.socket.pause();
  const writer = await openLine(engine, '/v1.51/containers/loud/attach?stream=1&stdin=1');
  writer.socket.write('go\n');
  assert.equal(await docker('wait', 'loud'), '0\n');
  const wanted = createHash('md5')
    .update(`${'0123456789abcde\n'.repeat(size / 16)}last\n`)
    .digest('hex');
  for (const { ended } of readers) {
    assert.equal(
      createHash('md5')
        .update(payload(await ended))
        .digest('hex'),
      wanted,
    );
  }
  for (const { socket } of [deaf, writer]) socket.destroy();
  deafSocket.socket.terminate();
  await docker('rm', 'loud');
});

test('the end of stdin closes the command’s where it is to be used once, and the output still comes whole', async () => {
  const config = { Image: 'busybox', Cmd: ['md5sum'], OpenStdin: true, StdinOnce: true, AttachStdin: true };
  assert.equal((await ask(engine, 'POST', '/containers/create?name=sum', JSON.stringify(config))).status, 201);
  const line = await openLine(engine, '/v1.51/containers/sum/attach?stream=1&stdin=1&stdout=1');
  assert.equal((await ask(engine, 'POST', '/containers/sum/start')).status, 204);
  const input = Buffer.alloc(3_000_000, 'spam and eggs ');
  line.socket.end(input);
  const sum = createHash('md5').update(input).digest('hex');
  assert.equal(payload(await line.ended).toString(), `${sum}  -\n`);
  await docker('rm', 'sum');
});

test('detach keys that the engine is told of let go of an exec, and the event tells it', async () => {
  await docker('run', '-d', '--name', 'base', 'busybox', 'sleep', '1000');
  const config = { Cmd: ['sleep', '995'], Tty: true, AttachStdin: true, AttachStdout: true, DetachKeys: 'ctrl-q' };
  const made = await ask(engine, 'POST', '/containers/base/exec', JSON.stringify(config));
  const { Id } = JSON.parse(made.body) as { Id: string };
  const line = await openLine(engine, `/v1.51/exec/${Id}/start`, '{"Tty":true}');
  line.socket.write('\x11');
  await line.ended;
  const format = '{{.Action}} {{.Actor.Attributes.execID}}';
  const told = () =>
    docker('events', '--until', String(Date.now() / 1000), '--filter', 'event=exec_detach', '--format', format);
  await until(async () => (await told()) === `exec_detach ${Id}\n`, 10_000);
  assert.match(await docker('top', 'base'), /sleep 995/);
  await docker('rm', '-f', 'base');
});

test('a terminal takes another size at once, and the event tells it', async () => {
  const since = String(Date.now() / 1000);
  await docker('run', '-dit', '--name', 'wide', 'busybox', 'sh', '-c', 'while :; do stty size; sleep 0.05; done');
  assert.equal((await ask(engine, 'POST', '/containers/wide/resize?h=31&w=117')).status, 200);
  await until(async () => (await docker('logs', 'wide')).includes('31 117'), 10_000);
  const format = '{{.Action}} {{.Actor.Attributes.height}}x{{.Actor.Attributes.width}}';
  const filter = ['--filter', 'event=resize', '--filter', 'container=wide'];
  const now = String(Date.now() / 1000 + 0.05);
  assert.equal(
    await docker('events', '--since', since, '--until', now, ...filter, '--format', format),
    'resize 31x117\n',
  );
  for (const [query, said] of [
    ['h=1', 'invalid resize width "": invalid syntax'],
    ['h=x&w=1', 'invalid resize height "x": invalid syntax'],
    ['h=1&w=-1', 'invalid resize width "-1": value out of range'],
    ['h=1&w=99999999999', 'invalid resize width "99999999999": value out of range'],
  ]) {
    const { status, message } = await ask(engine, 'POST', `/containers/wide/resize?${query}`);
    assert.deepEqual([status, message], [400, said]);
  }
  await docker('rm', '-f', 'wide');
});
