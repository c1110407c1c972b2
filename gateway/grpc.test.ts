import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:http2';
import { connect as connectSocket } from 'node:net';
import { test } from 'node:test';
import { createChannel, createClient } from 'nice-grpc';
import { HealthDefinition } from 'nice-grpc-server-health';
import { isServiceError } from '../kit/errors.ts';
import { silentLogger } from '../kit/log.ts';
import { dial } from '../kit/rpc/dial.ts';
import { checkHealth, watchHealth } from '../kit/rpc/health.ts';
import { ContainerServiceDefinition } from '../proto/gen/longshore/daemon/v1/container.ts';
import { ControlServiceDefinition } from '../proto/gen/longshore/daemon/v1/control.ts';
import { StreamServiceDefinition } from '../proto/gen/longshore/execdriver/v1/stream.ts';
import { ControlServiceDefinition as GraphControlDefinition } from '../proto/gen/longshore/graph/v1/control.ts';
import { ImageServiceDefinition } from '../proto/gen/longshore/graph/v1/image.ts';
import { readMethods } from './grpc/methods.ts';
import { container } from './testing/daemon.ts';
import { errors, type Owners, startEngine } from './testing/engine.ts';
import { ask } from './testing/http.ts';
import { untilStill } from './testing/still.ts';

async function throughTheDoor(t: Parameters<typeof startEngine>[0], owners: Owners) {
  const engine = await startEngine(t, owners);
  const channel = dial(`unix://${engine.socket}`, { role: 'client', log: silentLogger() });
  t.after(() => channel.close());
  return { ...engine, channel };
}

test('one socket takes REST and gRPC, each call to the owner of its service', async (t) => {
  const { socket, channel } = await throughTheDoor(t, {
    containers: { getContainer: async () => ({ container: container() }) },
    images: {
      async *listImages() {
        for (const id of ['a', 'b', 'c']) yield { image: { id } };
      },
    },
  });
  const { container: found } = await channel.client(ContainerServiceDefinition).getContainer({ container: 'x' });
  assert.equal(found?.name, 'eager_hopper');
  const images = await Array.fromAsync(channel.client(ImageServiceDefinition).listImages({}));
  assert.deepEqual(
    images.map(({ image }) => image?.id),
    ['a', 'b', 'c'],
  );
  assert.equal((await ask(socket, 'GET /_ping')).text, 'OK');
});

test('an owner’s error comes through whole', async (t) => {
  const { channel } = await throughTheDoor(t, {
    containers: {
      getContainer: () => {
        throw errors.containerNotFound({ container: 'x' });
      },
    },
  });
  await assert.rejects(channel.client(ContainerServiceDefinition).getContainer({ container: 'x' }), (error) => {
    assert.ok(isServiceError(error, 'CONTAINER_NOT_FOUND'));
    assert.equal(error.code, 'NOT_FOUND');
    assert.deepEqual(error.metadata, { container: 'x' });
    return true;
  });
});

test('a stream both ways is passed on frame by frame, and its cancellation too', async (t) => {
  const cancelled = Promise.withResolvers<void>();
  const { channel } = await throughTheDoor(t, {
    streams: {
      async *attach(requests) {
        try {
          for await (const { frame } of requests) {
            if (frame?.$case === 'stdin') yield { frame: { $case: 'stdout', value: frame.value } };
          }
        } finally {
          cancelled.resolve();
        }
      },
    },
  });
  const stop = new AbortController();
  const echoed = Promise.withResolvers<void>();
  async function* frames() {
    yield { frame: { $case: 'stdin' as const, value: Buffer.from('one') } };
    await echoed.promise;
    yield { frame: { $case: 'stdin' as const, value: Buffer.from('two') } };
    await new Promise(() => {});
  }
  const seen: string[] = [];
  await assert.rejects(async () => {
    const answers = channel.client(StreamServiceDefinition).attach(frames(), { signal: stop.signal });
    for await (const { frame } of answers) {
      if (frame?.$case === 'stdout') seen.push(String(frame.value));
      echoed.resolve();
      if (seen.length === 2) stop.abort();
    }
  });
  assert.deepEqual(seen, ['one', 'two']);
  await cancelled.promise;
});

test('a slow client holds up the owner, and nobody else', async (t) => {
  let given = 0;
  const { channel, socket } = await throughTheDoor(t, {
    containers: { getContainer: async () => ({ container: container() }) },
    streams: {
      async *readLogs() {
        for (; given < 400; given++) yield { line: Buffer.alloc(256 * 1024) };
      },
    },
  });
  const session = connect('http://d', { createConnection: () => connectSocket(socket) });
  t.after(() => session.destroy());
  const headers = { ':method': 'POST', ':path': '/longshore.execdriver.v1.StreamService/ReadLogs' };
  const stream = session.request({ ...headers, 'content-type': 'application/grpc', te: 'trailers' });
  stream.end(Buffer.alloc(5));
  stream.on('response', () => stream.pause());
  await untilStill(() => given);
  assert.ok(given < 100, `${given} of 400 frames were taken for a client that reads nothing`);
  await channel.client(ContainerServiceDefinition).getContainer({ container: 'x' });
});

test('what is for the coordinator alone is refused, what users may watch is not', async (t) => {
  const { channel } = await throughTheDoor(t, {
    control: {
      async *watchBoot() {
        yield { step: 'claim pidfile', finished: true };
      },
    },
  });
  const refused = (error: unknown) => isServiceError(error) && error.code === 'PERMISSION_DENIED';
  await assert.rejects(channel.client(ControlServiceDefinition).shutdown({}), refused);
  await assert.rejects(channel.client(GraphControlDefinition).identify({}), refused);
  await assert.rejects(channel.client(ImageServiceDefinition).reconcileHolders({}), refused);
  const steps = await Array.fromAsync(channel.client(ControlServiceDefinition).watchBoot({}));
  assert.equal(steps[0]?.step, 'claim pidfile');
});

test('every method of every contract is READ, WRITE or CONTROL and has an owner', () => {
  const { services, find } = readMethods();
  assert.ok(services.length >= 12, services.join(' '));
  const [looks, writes] = [
    { isPublic: true, isWrite: false },
    { isPublic: true, isWrite: true },
  ];
  const commands = { isPublic: false, isWrite: false };
  assert.deepEqual(find('/longshore.graph.v1.ImageService/GetImage'), { owner: 'graph', ...looks });
  assert.deepEqual(find('/longshore.graph.v1.ImageService/TagImage'), { owner: 'graph', ...writes });
  assert.deepEqual(find('/longshore.graph.v1.ControlService/Init'), { owner: 'graph', ...commands });
  assert.deepEqual(find('/longshore.daemon.v1.ControlService/Shutdown'), { owner: 'daemon', ...commands });
});

test('health is that of the service’s owner', async (t) => {
  const { channel, stop, restart } = await throughTheDoor(t, {});
  assert.equal(await checkHealth(channel, '', 2000), 'SERVING');
  assert.equal(await checkHealth(channel, 'longshore.graph.v1.ImageService', 2000), 'SERVING');
  assert.equal(await checkHealth(channel, 'longshore.graph.v1.Nothing', 2000), 'UNKNOWN');
  for await (const health of watchHealth(channel, 'longshore.volume.v1.VolumeService', AbortSignal.timeout(2000))) {
    assert.equal(health, 'SERVING');
    break;
  }
  await stop('graph');
  const client = createClient(HealthDefinition, createChannel(channel.endpoint));
  await assert.rejects(client.check({ service: 'longshore.graph.v1.ImageService' }), /graph does not answer at unix:/);
  await restart('graph');
  assert.equal(await checkHealth(channel, 'longshore.graph.v1.ImageService', 2000), 'SERVING');
});

test('reflection lists the services of all owners, whichever version is asked', async (t) => {
  const { socket } = await startEngine(t, {});
  const session = connect('http://d', { createConnection: () => connectSocket(socket) });
  t.after(() => session.destroy());
  for (const version of ['v1', 'v1alpha']) {
    const stream = session.request({
      ':method': 'POST',
      ':path': `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`,
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    // ServerReflectionRequest { list_services: "" }
    stream.end(Buffer.from([0, 0, 0, 0, 2, 0x3a, 0]));
    const text = Buffer.concat(await stream.toArray()).toString('latin1');
    for (const name of ['daemon.v1.ContainerService', 'graphdriver.v1.LayerService', 'network.v1.SandboxService']) {
      assert.ok(text.includes(`longshore.${name}`), name);
    }
    assert.ok(!text.includes('longshore.graph.v1.ControlService'));
  }
});

test('a call to an owner that dies ends with UNAVAILABLE, and the next finds it again', async (t) => {
  const { channel, stop, restart } = await throughTheDoor(t, {
    images: {
      async *listImages(_, { signal }) {
        yield { image: { id: 'a' } };
        await once(signal, 'abort');
      },
      getImage: async () => ({ image: { id: 'b' } }),
    },
  });
  const images = channel.client(ImageServiceDefinition);
  const listing = images.listImages({})[Symbol.asyncIterator]();
  await listing.next();
  const ended = assert.rejects(listing.next(), (error) => isServiceError(error) && error.code === 'UNAVAILABLE');
  await stop('graph');
  await ended;
  await assert.rejects(images.getImage({ reference: 'b' }), /graph does not answer/);
  await restart('graph');
  assert.equal((await images.getImage({ reference: 'b' })).image?.id, 'b');
});
