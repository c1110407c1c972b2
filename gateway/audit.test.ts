import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { createLogger, silentLogger } from '../kit/log.ts';
import { dial } from '../kit/rpc/dial.ts';
import { Outcome } from '../proto/gen/longshore/contract/v1/outcome.ts';
import { ContainerServiceDefinition } from '../proto/gen/longshore/daemon/v1/container.ts';
import { ImageServiceDefinition } from '../proto/gen/longshore/graph/v1/image.ts';
import { container, id } from './testing/daemon.ts';
import { errors, type Owners, startEngine } from './testing/engine.ts';
import { ask, begin } from './testing/http.ts';

const owners: Owners = {
  containers: {
    getContainer: async () => ({ container: container() }),
    startContainer: async () => ({ outcome: Outcome.OUTCOME_DONE }),
    openStream: async () => ({ containerId: id, openStdin: true, stdinOnce: true }),
    createContainer: async ({ id, name }) => ({ outcome: Outcome.OUTCOME_DONE, id, name, warnings: [] }),
    removeContainer: ({ container }) => {
      throw errors.containerNotFound({ container: container ?? '' });
    },
  },
  streams: {
    async *attach(requests, { signal }) {
      await requests[Symbol.asyncIterator]().next();
      yield { frame: { $case: 'ready' as const, value: { tty: false, running: true } } };
      // A client that is gone is noticed when something is sent to it.
      for (; !signal.aborted; await delay(1)) yield { frame: { $case: 'stdout' as const, value: Buffer.from('.') } };
    },
  },
  images: {
    async *importImage(requests) {
      for await (const _ of requests);
      yield { event: { $case: 'imageId' as const, value: 'sha256:1' } };
    },
  },
};

interface Line {
  audit: boolean;
  peer: string;
  verb: string;
  object: string;
  outcome: string;
  request: string;
}

/** A gateway, and what it audits. */
async function audited(t: TestContext, level: 'info' | 'warn' = 'info') {
  const lines: Line[] = [];
  const write = (line: string) => {
    const { level: _level, time: _time, role: _role, msg, ...rest } = JSON.parse(line);
    if (msg === 'audit') lines.push(rest);
  };
  const engine = await startEngine(t, owners, { log: createLogger({ role: 'gateway', format: 'json', level, write }) });
  return { ...engine, lines };
}

const self = `pid ${process.pid} uid ${process.geteuid?.()} gid ${process.getegid?.()}`;

test('each change by REST is a line: who, what, to whom, and how it ended; a look is none', async (t) => {
  const { socket, lines } = await audited(t);
  await ask(socket, 'GET /containers/web/json');
  await ask(socket, 'GET /_ping');
  assert.equal(lines.length, 0);
  const started = await begin(socket, 'POST /containers/web/start', undefined, { 'X-Request-Id': 'deploy-7' });
  started.resume();
  await ask(socket, 'DELETE /containers/gone');
  await ask(socket, 'POST /containers/create?name=web', { Image: 'busybox' });
  assert.deepEqual(
    lines.map(({ request, ...rest }) => ({ ...rest, named: request.length > 0 })),
    [
      { audit: true, peer: self, verb: 'StartContainer', object: 'web', outcome: 'OK', named: true },
      { audit: true, peer: self, verb: 'RemoveContainer', object: 'gone', outcome: 'NOT_FOUND', named: true },
      { audit: true, peer: self, verb: 'CreateContainer', object: 'web', outcome: 'OK', named: true },
    ],
  );
  assert.equal(lines[0]?.request, 'deploy-7');
});

test('a stream’s line names what it was opened for, and its peer though that has gone', async (t) => {
  const { socket, lines } = await audited(t);
  const attached = connect(socket);
  attached.write(
    'POST /v1.45/containers/web/attach?stream=1&stdin=1&stdout=1 HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: 0\r\n\r\n',
  );
  await once(attached, 'data');
  assert.equal(lines.length, 0);
  attached.destroy();
  const deadline = Date.now() + 5_000;
  while (lines.length === 0 && Date.now() < deadline) await new Promise(setImmediate);
  assert.deepEqual([lines[0]?.verb, lines[0]?.object, lines[0]?.peer], ['Attach', id, self]);
});

test('each change by gRPC is the same line', async (t) => {
  const { socket, lines } = await audited(t);
  const channel = dial(`unix://${socket}`, { role: 'client', log: silentLogger() });
  t.after(() => channel.close());
  const containers = channel.client(ContainerServiceDefinition);
  await containers.getContainer({ container: 'web' });
  await containers.startContainer({ container: 'web' }, { requestId: 'deploy-8' });
  await assert.rejects(containers.removeContainer({ container: 'gone' }));
  const chunks = async function* () {
    yield { frame: { $case: 'header' as const, value: { repository: 'new', tag: '1' } } };
    for (let chunk = 0; chunk < 20; chunk++) yield { frame: { $case: 'chunk' as const, value: Buffer.alloc(1 << 16) } };
  };
  for await (const _ of channel.client(ImageServiceDefinition).importImage(chunks()));
  const deadline = Date.now() + 5_000;
  while (lines.length < 3 && Date.now() < deadline) await new Promise(setImmediate);
  assert.deepEqual(
    lines.map(({ peer, verb, outcome }) => [peer, verb, outcome]),
    [
      [self, 'StartContainer', 'OK'],
      [self, 'RemoveContainer', 'NOT_FOUND'],
      [self, 'ImportImage', 'OK'],
    ],
  );
  assert.deepEqual(
    lines.map(({ object }) => object),
    ['web', 'gone', 'new'],
  );
  assert.equal(lines[0]?.request, 'deploy-8');
});

test('the peer is whoever connected', async (t) => {
  const { socket, lines } = await audited(t);
  const curl = ['--silent', '--unix-socket', socket, '-X', 'POST', 'http://d/containers/web/start'];
  const asked = promisify(execFile)('curl', curl);
  await asked;
  assert.equal(lines[0]?.peer, `pid ${asked.child.pid} uid ${process.geteuid?.()} gid ${process.getegid?.()}`);
});

test('who wants less on the log has no audit', async (t) => {
  const { socket, lines } = await audited(t, 'warn');
  await ask(socket, 'POST /containers/web/start');
  assert.equal(lines.length, 0);
});
