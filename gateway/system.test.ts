import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { WatchEventsRequest } from '../proto/gen/longshore/daemon/v1/event.ts';
import { docker } from './testing/docker.ts';
import { type Owners, startEngine } from './testing/engine.ts';
import { ask, askJson, begin } from './testing/http.ts';

test('_ping answers OK with the newest API version, in any version and in none', async (t) => {
  const { socket } = await startEngine(t, {});
  for (const path of ['/_ping', '/v1.41/_ping']) {
    const { status, headers, text } = await ask(socket, `GET ${path}`);
    assert.equal(status, 200);
    assert.equal(text, 'OK');
    assert.equal(headers['api-version'], '1.51');
    assert.equal(headers.ostype, 'linux');
  }
  const head = await ask(socket, 'HEAD /_ping');
  assert.equal(head.status, 200);
});

test('an unknown route is 404, a known one that is not served 501, an unknown version 400', async (t) => {
  const { socket } = await startEngine(t, {});
  for (const path of ['/nothing', '//images/json', '/v1.51', '/containers//json']) {
    assert.deepEqual(await askJson(socket, `GET ${path}`), { status: 404, value: { message: 'page not found' } }, path);
  }
  const plugins = await askJson(socket, 'GET /plugins/privileges');
  assert.deepEqual(plugins, { status: 501, value: { message: 'this engine does not support plugins yet' } });
  const { status, value } = await askJson(socket, 'GET /v1.99/info');
  assert.equal(status, 400);
  assert.match(value.message, /client version 1.99 is too new. Maximum supported API version is 1.51/);
  assert.match((await askJson(socket, 'GET /v1.12/info')).value.message, /too old/);
});

const system: Owners = {
  system: {
    getVersion: async () => ({
      version: '0.1.0',
      revision: 'abc',
      os: 'linux',
      architecture: 'amd64',
      kernelVersion: '6.18',
      nodeVersion: '26.10.0',
      components: [
        { name: 'Engine', version: '0.1.0' },
        { name: 'crun', version: '1.8.1' },
      ],
    }),
    getInfo: async () => ({
      id: 'engine',
      name: 'host',
      version: '0.1.0',
      containers: 3,
      containersRunning: 2,
      storageDriver: 'overlay2',
      driverStatus: [{ name: 'Backing Filesystem', value: 'ext4' }],
      dataRoot: '/data',
      defaultRuntime: 'crun',
      runtimes: ['crun'],
      cgroupLayout: 'hybrid',
      cpus: 2,
      memoryTotal: 1024 ** 3,
      insecureRegistries: ['127.0.0.0/8', 'registry:5000'],
      liveRestore: true,
    }),
  },
};

test('docker version and docker info print what the engine says of itself', async (t) => {
  const { socket } = await startEngine(t, system);
  const version = await docker(socket, ['version']);
  assert.equal(version.code, 0, version.stderr);
  assert.match(
    version.stdout,
    /Server: Longshore\n Engine:\n {2}Version: +0.1.0\n {2}API version: +1.51 \(minimum version 1.24\)/,
  );
  assert.match(version.stdout, /OS\/Arch: +linux\/amd64\n/);
  assert.match(version.stdout, / crun:\n {2}Version: +1.8.1\n/);
  const info = await docker(socket, ['info']);
  assert.equal(info.code, 0, info.stderr);
  for (const line of ['Containers: 3', 'Storage Driver: overlay2', 'Backing Filesystem: ext4', 'Total Memory: 1GiB']) {
    assert.ok(info.stdout.includes(line), line);
  }
  assert.match(info.stdout, /Insecure Registries:\n {2}registry:5000\n {2}127.0.0.0\/8/);
});

test('events are answered when the watch stands, with all digits of their time', async (t) => {
  let asked: WatchEventsRequest | undefined;
  const happened = Promise.withResolvers<void>();
  const { socket } = await startEngine(t, {
    events: {
      async *watchEvents(request) {
        asked = request;
        yield { cursor: 0 };
        await happened.promise;
        yield {
          cursor: 1,
          type: 'container',
          action: 'start',
          actorId: 'c1',
          attributes: { image: 'busybox', name: 'web' },
          timeNs: 1_700_000_000_123_456_789n,
        };
        yield { cursor: 2, type: 'volume', action: 'create', actorId: 'v', timeNs: 1_700_000_001_000_000_000n };
      },
    },
  });
  const filters = encodeURIComponent('{"type":{"container":true},"container":["we"],"label":["a=b"]}');
  const response = await begin(socket, `GET /events?since=1700000000&until=1700000009.5&filters=${filters}`);
  assert.equal(response.statusCode, 200);
  assert.equal(asked?.sinceNs, 1_700_000_000_000_000_000n);
  assert.equal(asked?.untilNs, 1_700_000_009_500_000_000n);
  assert.deepEqual(asked?.filter?.types, ['container']);
  assert.deepEqual(asked?.filter?.containers, ['we']);
  happened.resolve();
  const lines = Buffer.concat(await response.toArray())
    .toString()
    .trim()
    .split('\n');
  const { timeNano: _, ...first } = JSON.parse(lines[0] ?? '');
  assert.deepEqual(first, {
    status: 'start',
    id: 'c1',
    from: 'busybox',
    Type: 'container',
    Action: 'start',
    Actor: { ID: 'c1', Attributes: { image: 'busybox', name: 'web' } },
    scope: 'local',
    time: 1_700_000_000,
  });
  assert.match(lines[0] ?? '', /"timeNano":1700000000123456789}$/);
  assert.deepEqual(JSON.parse(lines[1] ?? ''), {
    Type: 'volume',
    Action: 'create',
    Actor: { ID: 'v', Attributes: {} },
    scope: 'local',
    time: 1_700_000_001,
    timeNano: 1_700_000_001_000_000_000,
  });
});
