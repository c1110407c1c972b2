import assert from 'node:assert/strict';
import { once } from 'node:events';
import { lstat, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { silentLogger } from '../kit/log.ts';
import { serviceConfig } from '../kit/service.ts';
import { start } from './service.ts';
import { container } from './testing/daemon.ts';
import { startEngine } from './testing/engine.ts';
import { ask, begin, raw } from './testing/http.ts';

async function directory(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'longshore-door-'));
  t.after(() => rm(path, { recursive: true, force: true }));
  return path;
}

function startOn(execRoot: string, hosts: string[], group?: string) {
  const config = { role: 'gateway' as const, dataRoot: execRoot, execRoot, log: silentLogger() };
  return start(serviceConfig({ ...config, flags: { host: hosts }, ...(group !== undefined && { group }) }));
}

test('the socket is for the group alone, and goes with the gateway', async (t) => {
  const engine = await startEngine(t, {});
  const found = await lstat(engine.socket);
  assert.ok(found.isSocket());
  assert.equal(found.mode & 0o777, 0o660);
  await engine.stopGateway();
  await assert.rejects(lstat(engine.socket), /ENOENT/);
});

test('a socket that somebody answers at is left alone, and the start says so', async (t) => {
  const root = await directory(t);
  const path = join(root, 'docker.sock');
  const other = createServer((socket) => socket.on('error', () => {}).end('mine')).listen(path);
  await once(other, 'listening');
  t.after(() => other.close());
  await assert.rejects(startOn(root, [`unix://${path}`]), /another program answers at .*docker.sock/);
  assert.ok((await lstat(path)).isSocket());
});

test('a path that is no socket, a port in use, an unknown group and an open port are refused at the start', async (t) => {
  const root = await directory(t);
  await writeFile(join(root, 'file'), '');
  await assert.rejects(startOn(root, [`unix://${root}/file`]), /is not a socket/);
  await assert.rejects(startOn(root, [`unix://${root}/file/docker.sock`]), /EEXIST|ENOTDIR/);
  await assert.rejects(startOn(root, [`unix://${root}/a.sock`], 'no-such-group'), /there is no group no-such-group/);
  await assert.rejects(startOn(root, ['tcp://0.0.0.0:0']), /would be readable on the network/);
  const other = createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  t.after(() => other.close());
  const address = other.address();
  assert.ok(typeof address === 'object' && address !== null);
  await assert.rejects(startOn(root, [`tcp://127.0.0.1:${address.port}`]), /EADDRINUSE/);
});

test('nothing answers at the public socket before the engine serves', async (t) => {
  const root = await directory(t);
  const running = await startOn(root, [`unix://${root}/docker.sock`]);
  await assert.rejects(ask(`${root}/docker.sock`, 'GET /_ping'), /ENOENT/);
  await running.stop();
});

test('a stale socket is replaced', async (t) => {
  const root = await directory(t);
  await mkdir(join(root, 'sockets'));
  const path = join(root, 'sockets', 'docker.sock');
  const { execFileSync } = await import('node:child_process');
  const leave = `require('node:net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`;
  assert.throws(() => execFileSync(process.execPath, ['-e', leave], { stdio: 'ignore' }));
  assert.ok((await lstat(path)).isSocket());
  await startEngine(t, {}, { host: `unix://${path}` });
  assert.equal((await ask(path, 'GET /_ping')).text, 'OK');
});

test('a request in progress ends before the gateway stops; a stream is cut', async (t) => {
  const release = Promise.withResolvers<void>();
  const asked = Promise.withResolvers<void>();
  const engine = await startEngine(t, {
    containers: {
      async getContainer() {
        asked.resolve();
        await release.promise;
        return { container: container() };
      },
    },
    events: {
      async *watchEvents(_, { signal }) {
        yield { cursor: 0 };
        await once(signal, 'abort');
      },
    },
  });
  const events = await begin(engine.socket, 'GET /events');
  const shown = ask(engine.socket, 'GET /containers/x/json');
  await asked.promise;
  const stopped = engine.stopGateway();
  release.resolve();
  assert.equal((await shown).status, 200);
  await assert.rejects(events.toArray(), /aborted/);
  await stopped;
});

test('requests follow each other on one connection, and a head may come in pieces', async (t) => {
  const { socket: path } = await startEngine(t, {});
  const socket = connect(path);
  t.after(() => socket.destroy());
  await once(socket, 'connect');
  for (const piece of ['P', 'R', 'OPFIND /_ping HTTP/1.1\r\nHost: d\r\n\r\n']) {
    socket.write(piece);
    await setImmediate();
  }
  assert.match(String(await once(socket, 'data')), /^HTTP\/1.1 404 Not Found/);
  socket.write('GET /_ping HTTP/1.1\r\nHost: d\r\n\r\n');
  assert.match(String(await once(socket, 'data')), /^HTTP\/1.1 200 OK/);
});

test('an upgrade that no route takes is answered as if it had not been asked for, its body read', async (t) => {
  const { socket } = await startEngine(t, {
    volumes: { createVolume: async ({ name }) => ({ volume: { name } }) },
  });
  const upgrade = 'Connection: Upgrade\r\nUpgrade: h2c\r\n';
  const ping = await raw(socket, `GET /_ping HTTP/1.1\r\nHost: d\r\n${upgrade}\r\n`);
  assert.match(ping.head, /^HTTP\/1.1 200 OK/);
  assert.equal(String(await ping.read()), 'OK');
  const head = `POST /volumes/create HTTP/1.1\r\nHost: d\r\n${upgrade}Content-Length: 12\r\n\r\n`;
  const made = await raw(socket, `${head}{"Name":"v"}`);
  assert.match(made.head, /^HTTP\/1.1 201 Created/);
  assert.match(String(await made.read()), /"Name":"v"/);
});

test('a request that is no HTTP is answered 400 and closed', async (t) => {
  const { socket } = await startEngine(t, {});
  const client = await raw(socket, 'HELLO\r\n\r\n');
  assert.match(client.head, /^HTTP\/1.1 400 Bad Request/);
  assert.equal((await client.read()).length, 0);
});
