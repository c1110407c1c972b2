import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ReadLogsRequest, ReadLogsResponse } from '../proto/gen/longshore/execdriver/v1/stream.ts';
import { container, id } from './testing/daemon.ts';
import { docker } from './testing/docker.ts';
import { type Owners, startEngine } from './testing/engine.ts';
import { ask, begin } from './testing/http.ts';
import { untilStill } from './testing/still.ts';

const batch: ReadLogsResponse = {
  stream: 1,
  line: Buffer.from('one\n'),
  timeNs: 1_700_000_000_000_000_100n,
  more: [
    { stream: 2, line: Buffer.from('two\n'), timeNs: 1_700_000_000_500_000_000n },
    { stream: 1, line: Buffer.from('a part'), timeNs: 1_700_000_001_000_000_000n },
  ],
};

function logsOf(tty: boolean, seen: ReadLogsRequest[] = []): Owners {
  return {
    containers: {
      openStream: async () => ({ containerId: id, tty }),
      getContainer: async () => ({ container: container() }),
    },
    streams: {
      async *readLogs(request) {
        seen.push(request);
        yield batch;
      },
    },
  };
}

test('logs are whole to the last part of a line, told apart, and ask for no more than was asked', async (t) => {
  const seen: ReadLogsRequest[] = [];
  const { socket } = await startEngine(t, logsOf(false, seen));
  const { headers, text } = await ask(socket, 'GET /containers/x/logs?stdout=1&tail=5&since=1.5&until=1700000002');
  assert.equal(headers['content-type'], 'application/vnd.docker.multiplexed-stream');
  assert.equal(text, '\x01\0\0\0\0\0\0\x04one\n' + '\x02\0\0\0\0\0\0\x04two\n' + '\x01\0\0\0\0\0\0\x06a part');
  const [request] = seen;
  assert.deepEqual(request && { ...request }, {
    id,
    stdout: true,
    stderr: false,
    follow: false,
    sinceNs: 1_500_000_000n,
    untilNs: 1_700_000_002_000_000_000n,
    tail: 5,
    batched: true,
  });
});

test('logs of a terminal are bare; before 1.42 all are called raw', async (t) => {
  const { socket } = await startEngine(t, logsOf(true));
  const { text } = await ask(socket, 'GET /containers/x/logs?stdout=1&timestamps=1');
  assert.equal(
    text,
    '2023-11-14T22:13:20.000000100Z one\n2023-11-14T22:13:20.500000000Z two\n2023-11-14T22:13:21.000000000Z a part',
  );
});

test('a follower is answered before there is a line, and each line comes as it is written', async (t) => {
  const line = Promise.withResolvers<void>();
  const { socket } = await startEngine(t, {
    ...logsOf(true),
    streams: {
      async *readLogs() {
        await line.promise;
        yield { line: Buffer.from('late\n') };
      },
    },
  });
  const response = await begin(socket, 'GET /containers/x/logs?stdout=1&follow=1');
  assert.equal(response.statusCode, 200);
  line.resolve();
  assert.equal(String((await response.toArray())[0]), 'late\n');
});

test('a slow reader holds up the log’s owner, not the gateway’s memory', async (t) => {
  const chunk = Buffer.alloc(256 * 1024, 'x');
  const most = 400;
  let given = 0;
  const { socket } = await startEngine(t, {
    ...logsOf(true),
    streams: {
      async *readLogs() {
        for (; given < most; given++) yield { line: chunk };
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
