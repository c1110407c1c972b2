import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { OpenStreamResponse } from '../proto/gen/longshore/daemon/v1/container.ts';
import type { AttachRequest, AttachResponse } from '../proto/gen/longshore/execdriver/v1/stream.ts';
import { id } from './testing/daemon.ts';
import { errors, type Owners, startEngine } from './testing/engine.ts';
import { ask, askJson, raw } from './testing/http.ts';

type Frame = NonNullable<AttachRequest['frame']>;

/** An exec driver whose container prints what it is told to, and notes what it is sent. */
function stdio(target: Partial<OpenStreamResponse> = {}) {
  const sent: Frame[] = [];
  const news: (() => void)[] = [];
  const output: (AttachResponse['frame'] | 'end')[] = [];
  let wake: () => void = () => {};
  let isCancelled = false;
  const cancelled = Promise.withResolvers<void>();
  const owners: Owners = {
    containers: { openStream: async () => ({ containerId: id, openStdin: true, stdinOnce: true, ...target }) },
    streams: {
      async *attach(requests, { signal }) {
        signal.addEventListener('abort', () => {
          isCancelled = true;
          cancelled.resolve();
          wake();
        });
        const frames = requests[Symbol.asyncIterator]();
        const first = (await frames.next()).value?.frame;
        if (first) sent.push(first);
        void (async () => {
          try {
            for (let next = await frames.next(); !next.done; next = await frames.next()) {
              if (next.value.frame) sent.push(next.value.frame);
              for (const tell of news.splice(0)) tell();
            }
          } catch {
            // The call was cancelled.
          }
        })();
        yield { frame: { $case: 'ready', value: { tty: target.tty ?? false, running: true } } };
        while (!isCancelled) {
          const next = output.shift();
          if (next === 'end') return;
          if (next !== undefined) yield { frame: next };
          else await new Promise<void>((resolve) => (wake = resolve));
        }
      },
    },
  };
  return {
    owners,
    sent,
    cancelled: cancelled.promise,
    async sentSoFar(count: number) {
      while (sent.length < count) await new Promise<void>((resolve) => news.push(resolve));
      return sent;
    },
    say(stream: 'stdout' | 'stderr', text: string) {
      output.push({ $case: stream, value: Buffer.from(text) });
      wake();
    },
    exit(code: number) {
      output.push({ $case: 'exit', value: { code } }, 'end');
      wake();
    },
  };
}

const query = 'stream=1&stdin=1&stdout=1&stderr=1';
const upgrading = `POST /v1.45/containers/x/attach?${query} HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: 0\r\n\r\n`;
const plain = `POST /v1.45/containers/x/attach?${query} HTTP/1.1\r\nHost: d\r\nContent-Type: text/plain\r\n\r\n`;

const multiplexed = (stream: number, text: string) =>
  Buffer.concat([Buffer.from([stream, 0, 0, 0, 0, 0, 0, text.length]), Buffer.from(text)]);

for (const [how, request, status] of [
  ['with an upgrade', upgrading, 'HTTP/1.1 101 UPGRADED'],
  ['without an upgrade', plain, 'HTTP/1.1 200 OK'],
] as const) {
  test(`attach ${how} carries input up, both streams down told apart, and ends with the container`, async (t) => {
    const driver = stdio();
    const { socket } = await startEngine(t, driver.owners);
    const client = await raw(socket, request);
    assert.match(client.head, new RegExp(`^${status}\r\nContent-Type: application/vnd.docker.multiplexed-stream`));
    client.socket.write('hello\n');
    await driver.sentSoFar(2);
    driver.say('stdout', 'out');
    driver.say('stderr', 'error');
    assert.deepEqual(await client.read(11), multiplexed(1, 'out'));
    assert.deepEqual(await client.read(13), multiplexed(2, 'error'));
    client.socket.end();
    const [open, stdin, close] = await driver.sentSoFar(3);
    assert.ok(open?.$case === 'open');
    assert.deepEqual(
      { ...open.value },
      { id, stdin: true, stdout: true, stderr: true, logs: false, follow: true, generation: 0 },
    );
    assert.deepEqual(stdin, { $case: 'stdin', value: Buffer.from('hello\n') });
    assert.equal(close?.$case, 'closeStdin');
    driver.say('stdout', 'late');
    driver.exit(0);
    assert.deepEqual(await client.read(), multiplexed(1, 'late'));
  });
}

test('attach to a terminal is not told apart', async (t) => {
  const driver = stdio({ tty: true });
  const { socket } = await startEngine(t, driver.owners);
  const client = await raw(socket, upgrading);
  assert.match(client.head, /application\/vnd.docker.raw-stream/);
  driver.say('stdout', 'prompt');
  driver.exit(0);
  assert.equal((await client.read()).toString(), 'prompt');
});

test('the detach keys end an attach and do not reach the container, nor are they needed in one piece', async (t) => {
  const driver = stdio({ tty: true });
  const { socket } = await startEngine(t, driver.owners);
  const client = await raw(socket, upgrading);
  client.socket.write('a\x10');
  await driver.sentSoFar(2);
  client.socket.write('b\x10');
  await driver.sentSoFar(3);
  client.socket.write('\x11');
  assert.equal((await client.read()).toString(), '');
  await driver.cancelled;
  assert.deepEqual(driver.sent.slice(1), [
    { $case: 'stdin', value: Buffer.from('a') },
    { $case: 'stdin', value: Buffer.from('\x10b') },
  ]);
});

test('the end of input detaches where stdin may be used again', async (t) => {
  const driver = stdio({ stdinOnce: false });
  const { socket } = await startEngine(t, driver.owners);
  const client = await raw(socket, upgrading);
  client.socket.end('x');
  assert.equal((await client.read()).length, 0);
  await driver.cancelled;
  assert.equal(
    driver.sent.some(({ $case }) => $case === 'closeStdin'),
    false,
  );
});

test('a client that goes away cancels the call', async (t) => {
  const driver = stdio();
  const { socket } = await startEngine(t, driver.owners);
  const client = await raw(socket, upgrading);
  client.socket.destroy();
  driver.say('stdout', 'to nobody');
  driver.say('stdout', 'to nobody');
  await driver.cancelled;
});

test('an attach that cannot be is answered like any other request', async (t) => {
  const driver = stdio();
  const { socket } = await startEngine(t, {
    ...driver.owners,
    containers: {
      openStream: async () => {
        throw errors.unserved({ method: 'this' });
      },
    },
  });
  const client = await raw(socket, upgrading);
  assert.match(client.head, /^HTTP\/1.1 501 Not Implemented/);
  assert.match((await client.read()).toString(), /{"message":"the test does not serve this"}/);
  const { status, value } = await askJson(socket, `POST /containers/x/attach?${query}&detachKeys=ctrl-1`);
  assert.equal(status, 400);
  assert.equal(value.message, 'Invalid detach keys (ctrl-1) provided');
});

test('an exec driver that is lost cuts the attach, and the gateway goes on', async (t) => {
  const driver = stdio();
  const engine = await startEngine(t, driver.owners);
  const client = await raw(engine.socket, upgrading);
  await engine.stop('execdriver');
  assert.equal((await client.read()).length, 0);
  assert.equal((await ask(engine.socket, 'GET /_ping')).status, 200);
});
