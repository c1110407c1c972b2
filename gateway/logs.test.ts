import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LogPacking, type ReadLogsRequest } from '../proto/gen/longshore/execdriver/v1/stream.ts';
import { container, id } from './testing/daemon.ts';
import { docker } from './testing/docker.ts';
import { type Owners, startEngine } from './testing/engine.ts';
import { ask, begin } from './testing/http.ts';
import { untilStill } from './testing/still.ts';

const packed = Buffer.from('\x01\0\0\0\0\0\0\x04one\n\x02\0\0\0\0\0\0\x04two\n\x01\0\0\0\0\0\0\x06a part', 'latin1');

function logsOf(tty: boolean, seen: ReadLogsRequest[] = [], piece = packed): Owners {
  return {
    containers: {
      openStream: async () => ({ containerId: id, tty }),
      getContainer: async () => ({ container: container() }),
    },
    streams: {
      async *readLogs(request) {
        seen.push(request);
        yield { packed: piece, cursor: 'c1' };
      },
    },
  };
}

test('logs are whole to the last part of a line, told apart, and ask for no more than was asked', async (t) => {
  const seen: ReadLogsRequest[] = [];
  const { socket } = await startEngine(t, logsOf(false, seen));
  const { headers, text } = await ask(socket, 'GET /containers/x/logs?stdout=1&tail=5&since=1.5&until=1700000002');
  assert.equal(headers['content-type'], 'application/vnd.docker.multiplexed-stream');
  assert.equal(text, packed.toString('latin1'));
  const [request] = seen;
  assert.deepEqual(request && { ...request }, {
    id,
    stdout: true,
    stderr: false,
    follow: false,
    sinceNs: 1_500_000_000n,
    untilNs: 1_700_000_002_000_000_000n,
    tail: 5,
    batched: false,
    packing: LogPacking.LOG_PACKING_RUNS,
    timestamps: false,
    prefix: Buffer.alloc(0),
    after: '',
  });
});

test('who follows gets each line behind a head of its own', async (t) => {
  const seen: ReadLogsRequest[] = [];
  const { socket } = await startEngine(t, logsOf(false, seen));
  await ask(socket, 'GET /containers/x/logs?stdout=1&follow=1&timestamps=1');
  assert.deepEqual([seen[0]?.packing, seen[0]?.timestamps], [LogPacking.LOG_PACKING_LINES, true]);
});

test('logs of a terminal are bare; before 1.42 all are called raw', async (t) => {
  const seen: ReadLogsRequest[] = [];
  const { socket } = await startEngine(t, logsOf(true, seen, Buffer.from('one\n')));
  const { headers, text } = await ask(socket, 'GET /v1.41/containers/x/logs?stdout=1&timestamps=1');
  assert.deepEqual([headers['content-type'], text], ['application/vnd.docker.raw-stream', 'one\n']);
  assert.equal(seen[0]?.packing, LogPacking.LOG_PACKING_BARE);
});

test('a follower is answered before there is a line, and each line comes as it is written', async (t) => {
  const line = Promise.withResolvers<void>();
  const { socket } = await startEngine(t, {
    ...logsOf(true),
    streams: {
      async *readLogs() {
        yield { cursor: 'c0' };
        await line.promise;
        yield { packed: Buffer.from('late\n'), cursor: 'c1' };
      },
    },
  });
  const response = await begin(socket, 'GET /containers/x/logs?stdout=1&follow=1');
  assert.equal(response.statusCode, 200);
  line.resolve();
  assert.equal(String((await response.toArray())[0]), 'late\n');
});

test('a follower outlives the death of the log’s owner, and sees each line once', async (t) => {
  const seen: string[] = [];
  const engine = await startEngine(t, {
    ...logsOf(true),
    streams: {
      async *readLogs({ after }, { signal }) {
        seen.push(after);
        if (after !== '') {
          yield { packed: Buffer.from('two\n'), cursor: 'c2' };
          return;
        }
        yield { packed: Buffer.from('one\n'), cursor: 'c1' };
        await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
      },
    },
  });
  const response = await begin(engine.socket, 'GET /containers/x/logs?stdout=1&follow=1');
  const chunks = response[Symbol.asyncIterator]();
  assert.equal(String((await chunks.next()).value), 'one\n');
  await engine.stop('execdriver');
  await engine.restart('execdriver');
  assert.equal(String((await chunks.next()).value), 'two\n');
  assert.equal((await chunks.next()).done, true);
  assert.deepEqual([seen.at(0), seen.at(-1)], ['', 'c1']);
});

test('a slow reader holds up the log’s owner, not the gateway’s memory', async (t) => {
  const chunk = Buffer.alloc(256 * 1024, 'x');
  const most = 400;
  let given = 0;
  const { socket } = await startEngine(t, {
    ...logsOf(true),
    streams: {
      async *readLogs() {
        for (; given < most; given++) yield { packed: chunk };
      },
    },
  });
  const response = await begin(socket, 'GET /containers/x/logs?stdout=1');
  await untilStill(() => given);
  assert.ok(given < most / 4, `${given} of ${most} chunks were taken for a reader that reads nothing`);
  let size = 0;
  for await (const bytes of response) size += bytes.length;
  assert.equal(size, most * chunk.length);
});

test('docker logs prints both streams', async (t) => {
  const { socket } = await startEngine(t, logsOf(false));
  assert.deepEqual(await docker(socket, ['logs', 'x']), { code: 0, stdout: 'one\na part', stderr: 'two\n' });
});
