import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import type { ServiceImplementation } from 'nice-grpc';
import {
  AttachRequest,
  AttachResponse,
  StreamServiceDefinition,
} from '../../proto/gen/longshore/execdriver/v1/stream.ts';
import { silentLogger } from '../log.ts';
import { dial } from './dial.ts';
import { createNeighbours } from './neighbours.ts';
import { all, failure, pair } from './pair.ts';
import { serve, service } from './serve.ts';

test('neighbours reach each other without a socket', async () => {
  await using it = await pair({}, { neighbours: createNeighbours() });
  rmSync(join(it.dir, 'volume.sock'));
  assert.equal((await it.client.getVolume({ name: 'data' })).volume?.name, 'data');
  assert.equal((await all(it.client.listVolumes({}))).length, 2);
  assert.ok(await it.channel.ready(100));
});

test('what one of them has is never another’s object', async () => {
  const labels = { a: '1' };
  await using it = await pair({ getVolume: async () => ({ volume: { labels } }) }, { neighbours: createNeighbours() });
  const { volume } = await it.client.getVolume({});
  assert.deepEqual([volume?.labels, volume?.name], [labels, '']);
  if (volume) volume.labels.a = '2';
  assert.deepEqual(labels, { a: '1' });
});

test('a service that is not there yet is waited for; one that has gone is down', async (t) => {
  const neighbours = createNeighbours();
  await using elsewhere = await pair();
  const [endpoint, log] = [`unix://${elsewhere.dir}/late.sock`, silentLogger()];
  const channel = dial(endpoint, { role: 'daemon', log, neighbours });
  t.after(() => channel.close());
  const ready = channel.ready(5000);
  const served = await serve({ role: 'volume', listen: [endpoint], log, services: [], neighbours });
  assert.equal(await ready, true);
  await served.stop();
  assert.equal(await channel.ready(50), false);
});

test('who does not read holds the other up, and lets it go when he leaves', async () => {
  let sent = 0;
  const ended = Promise.withResolvers<void>();
  const piece = 'x'.repeat(64 * 1024);
  await using it = await pair(
    {
      async *listVolumes() {
        try {
          for (; sent < 1000; sent++) yield { volume: { name: piece } };
        } finally {
          ended.resolve();
        }
      },
    },
    { neighbours: createNeighbours() },
  );
  for await (const _ of it.client.listVolumes({})) {
    for (let turns = 0; turns < 50; turns++) await turn();
    break;
  }
  await ended.promise;
  assert.ok(sent < 10, `${sent} were sent`);
});

const streams = { ...StreamServiceDefinition, methods: { attach: StreamServiceDefinition.methods.attach } } as const;

/** A neighbour's client, for streams in both directions. */
async function attachable(t: TestContext, attach: ServiceImplementation<typeof streams>['attach']) {
  const neighbours = createNeighbours();
  const folder = mkdtempSync(join(tmpdir(), 'kit-neighbours-'));
  const [endpoint, log] = [`unix://${folder}/execdriver.sock`, silentLogger()];
  const services = [service(streams, { attach })];
  const served = await serve({ role: 'execdriver', listen: [endpoint], log, neighbours, services });
  const channel = dial(endpoint, { role: 'gateway', log, neighbours });
  t.after(async () => {
    channel.close();
    await served.stop();
    rmSync(folder, { recursive: true });
  });
  return channel.client(streams);
}

test('a stream in both directions ends at both ends, and its caller’s pieces keep their order', async (t) => {
  const seen: string[] = [];
  const attach = async function* (requests: AsyncIterable<AttachRequest>) {
    for await (const { frame } of requests) {
      if (frame?.$case !== 'stdin') continue;
      seen.push(String(frame.value));
      yield AttachResponse.fromPartial({ frame: { $case: 'stdout', value: Buffer.from(`<${frame.value}>`) } });
    }
  };
  const client = await attachable(t, attach);
  async function* requests() {
    for (const text of ['one', 'two', 'three']) {
      yield AttachRequest.fromPartial({ frame: { $case: 'stdin', value: Buffer.from(text) } });
    }
  }
  const answers = await all(client.attach(requests()));
  const text = answers.map(({ frame }) => (frame?.$case === 'stdout' ? String(frame.value) : ''));
  assert.deepEqual(
    [seen, text],
    [
      ['one', 'two', 'three'],
      ['<one>', '<two>', '<three>'],
    ],
  );
});

test('what a caller sends is asked for no longer than the call lasts', async (t) => {
  const attach = async function* () {
    yield AttachResponse.fromPartial({});
  };
  const client = await attachable(t, attach);
  const closed = Promise.withResolvers<void>();
  async function* endless() {
    try {
      for (;;) {
        await turn();
        yield AttachRequest.fromPartial({ frame: { $case: 'stdin', value: Buffer.from('x') } });
      }
    } finally {
      closed.resolve();
    }
  }
  assert.equal((await all(client.attach(endless()))).length, 1);
  await closed.promise;
});

test('a call that never ends is cut when its service stops, as by the loss of a connection', async () => {
  const entered = Promise.withResolvers<void>();
  const it = await pair(
    {
      async getVolume() {
        entered.resolve();
        return new Promise(() => {});
      },
    },
    { neighbours: createNeighbours() },
  );
  const cut = failure(it.client.getVolume({ name: 'x' }));
  await entered.promise;
  await it[Symbol.asyncDispose]();
  const { code, message } = await cut;
  assert.equal(code, 'UNAVAILABLE');
  assert.match(message, /went away during GetVolume/);
});
