import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ContainerFilter, ContainerStatus, StreamPurpose } from '../../../proto/gen/longshore/daemon/v1/container.ts';
import { call, create, happened, recordOf, run, startEngine, type TestEngine, until } from '../testing/engine.ts';
import { exit } from '../testing/world.ts';

async function names(
  engine: TestEngine,
  filter: Parameters<typeof ContainerFilter.create>[0] = {},
  options: { all?: boolean; limit?: number } = {},
): Promise<string[]> {
  const listed: string[] = [];
  const request = { all: true, limit: 0, withSize: false, ...options, filter: ContainerFilter.create(filter) };
  for await (const { name } of engine.containers.list(request)) listed.push(name);
  return listed;
}

async function fleet(t: Parameters<typeof startEngine>[0]): Promise<{ engine: TestEngine; old: string; web: string }> {
  const engine = await startEngine(t);
  const old = await run(engine, { name: 'old', config: { volumes: ['/data'] } });
  exit(engine.world, old, 3);
  await until(() => recordOf(engine, old)?.status === 'exited', 'exited');
  const web = await run(engine, {
    name: 'web',
    config: { labels: { role: 'front', tier: '1' } },
    host: { portBindings: { '80/tcp': { bindings: [{ hostPort: '8080' }] } } },
  });
  await create(engine, { name: 'new' });
  return { engine, old, web };
}

test('newest first; those that do not run only when asked for', async (t) => {
  const { engine } = await fleet(t);
  assert.deepEqual(await names(engine), ['new', 'web', 'old']);
  assert.deepEqual(await names(engine, {}, { all: false }), ['web']);
  assert.deepEqual(await names(engine, {}, { all: false, limit: 2 }), ['new', 'web']);
});

test('filters are Docker’s', async (t) => {
  const { engine, web } = await fleet(t);
  assert.deepEqual(await names(engine, { names: ['^/we'] }), ['web']);
  assert.deepEqual(await names(engine, { ids: [web.slice(0, 10)] }), ['web']);
  assert.deepEqual(await names(engine, { labels: ['role=front', 'tier'] }), ['web']);
  assert.deepEqual(await names(engine, { labels: ['role=front', 'none'] }), []);
  assert.deepEqual(await names(engine, { statuses: ['created', 'exited'] }, { all: false }), ['new', 'old']);
  assert.deepEqual(await names(engine, { exitCodes: [3] }), ['old']);
  assert.deepEqual(await names(engine, { exitCodes: [0] }), []);
  assert.deepEqual(await names(engine, { before: 'web' }), ['old']);
  assert.deepEqual(await names(engine, { since: 'web' }), ['new']);
  assert.deepEqual(await names(engine, { ancestors: ['busybox'], names: ['old', 'web'] }), ['web', 'old']);
  assert.deepEqual(await names(engine, { ancestors: ['nothing'] }), []);
  assert.deepEqual(await names(engine, { volumes: ['/data'] }), ['old']);
  assert.deepEqual(await names(engine, { networks: ['bridge'], names: ['web'] }), ['web']);
  assert.deepEqual(await names(engine, { published: ['8080/tcp'] }), ['web']);
  assert.deepEqual(await names(engine, { published: ['80/tcp'] }), []);
  assert.deepEqual(await names(engine, { published: ['81-90'] }), []);
  assert.deepEqual((await names(engine, { exposed: ['70-90/tcp'] })).length, 3);
  await assert.rejects(
    names(engine, { statuses: ['well'] }),
    /^ServiceError: invalid filter 'status=well': invalid value for state \(well\): must be one of created, running, /,
  );
  await assert.rejects(names(engine, { before: 'gone' }), /No such container: gone/);
});

test('a reference is an id, a prefix of one, a name with or without slash, or a link', async (t) => {
  const { engine, web } = await fleet(t);
  const shop = await create(engine, { name: 'shop', host: { links: ['web:front'] } });
  for (const reference of [web, web.slice(0, 9), 'web', '/web', 'shop/front', '/shop/front']) {
    assert.equal((await call(engine, 'getContainer', { container: reference, withSize: false })).container?.id, web);
  }
  const twin = `${shop.slice(0, 60)}${shop.endsWith('0000') ? '1111' : '0000'}`;
  await create(engine, { id: twin });
  await assert.rejects(
    call(engine, 'getContainer', { container: shop.slice(0, 60), withSize: false }),
    /multiple IDs found/,
  );
  await assert.rejects(call(engine, 'getContainer', { container: '', withSize: false }), /No such container: /);
});

test('reads do not wait for a start that hangs', async (t) => {
  const { engine } = await fleet(t);
  const held = Promise.withResolvers<void>();
  engine.world.disturb = (called) => (called === 'network.createSandbox' ? held.promise : undefined);
  const starting = call(engine, 'startContainer', { container: 'new' });
  await until(() => engine.containers.records().some(({ status }) => status === 'starting'), 'starting');
  const { container } = await call(engine, 'getContainer', { container: 'new', withSize: false });
  assert.equal(container?.state?.status, ContainerStatus.CONTAINER_STATUS_STARTING);
  assert.equal((await names(engine)).length, 3);
  held.resolve();
  await starting;
});

test('an attach is an event; sizes are measured when asked for', async (t) => {
  const { engine, web } = await fleet(t);
  engine.containers.openStream({ container: 'web', purpose: StreamPurpose.STREAM_PURPOSE_ATTACH });
  const stream = engine.containers.openStream({ container: 'web', purpose: StreamPurpose.STREAM_PURPOSE_UNSPECIFIED });
  assert.deepEqual([stream.containerId, stream.logDriver, stream.generation], [web, 'json-file', 1]);
  assert.equal(happened(engine).filter((event) => event === 'container:attach').length, 1);
  const { container } = await call(engine, 'getContainer', { container: 'web', withSize: true });
  assert.deepEqual([container?.sizeRw, container?.sizeRoot], [42, 1042]);
});

test('a linked container is found by its alias in /etc/hosts, and has to run', async (t) => {
  const { engine } = await fleet(t);
  await create(engine, { name: 'shop', host: { links: ['web:front', 'old'] } });
  await assert.rejects(
    call(engine, 'startContainer', { container: 'shop' }),
    /Cannot link to a non running container: \/old AS old/,
  );
  await call(engine, 'startContainer', { container: 'old' });
  let hosts: unknown;
  engine.world.disturb = (called, request) => {
    if (called === 'network.createSandbox') hosts = (request as { extraHosts: unknown }).extraHosts;
  };
  await call(engine, 'startContainer', { container: 'shop' });
  const web = recordOf(engine, engine.containers.records().find(({ name }) => name === 'web')?.id ?? '');
  assert.deepEqual(
    (hosts as { names: string[] }[]).find(({ names: [alias] }) => alias === 'front'),
    {
      address: web?.network.networks[0]?.ipv4Address,
      names: ['front', web?.config.hostname, 'web'],
    },
  );
});

test('a container that joins another’s network has no sandbox of its own', async (t) => {
  const { engine } = await fleet(t);
  const id = await create(engine, { name: 'side', host: { networkMode: 'container:old' } });
  await assert.rejects(
    call(engine, 'startContainer', { container: id }),
    /cannot join network of a non running container/,
  );
  await call(engine, 'startContainer', { container: 'old' });
  await call(engine, 'startContainer', { container: id });
  assert.equal(engine.world.sandboxes.has(id), false);
});

test('bad configurations are refused with Docker’s words, before any service is asked', async (t) => {
  const engine = await startEngine(t);
  engine.world.calls.length = 0;
  const refused: [Parameters<typeof create>[1], RegExp][] = [
    [{ config: { workingDir: 'here' } }, /the working directory 'here' is invalid, it needs to be an absolute path/],
    [{ config: { env: ['=x'] } }, /invalid environment variable: =x/],
    [{ config: { stopSignal: 'NOPE' } }, /invalid signal: NOPE/],
    [
      { host: { autoRemove: true, restartPolicy: { name: 'always' } } },
      /can't create 'AutoRemove' container with restart policy/,
    ],
    [{ host: { restartPolicy: { name: 'maybe' } } }, /unknown policy 'maybe'/],
    [{ host: { restartPolicy: { name: 'always', maximumRetryCount: 2 } } }, /can only be used with 'on-failure'/],
    [{ host: { runtime: 'what' } }, /unknown or invalid runtime name: what/],
    [{ host: { logConfig: { type: 'gelf' } } }, /no log driver named 'gelf' is registered/],
    [{ host: { extraHosts: ['x'] } }, /bad format for add-host/],
    [{ host: { links: ['gone:db'] } }, /No such container: gone/],
    [{ id: 'short' }, /a container id is 64 hex digits/],
  ];
  for (const [parts, problem] of refused) await assert.rejects(create(engine, parts), problem);
  assert.deepEqual(engine.world.calls, []);
  assert.deepEqual(engine.engine.links.list('/', 0), new Map());
});

test('who shares with a container that is not there is made, and its start says so before anything else', async (t) => {
  const engine = await startEngine(t);
  for (const [host, problem] of [
    [{ networkMode: 'container:gone' }, /joining network namespace of container: No such container: gone/],
    [{ pidMode: 'container:gone' }, /failed to join PID namespace: No such container: gone/],
    [{ ipcMode: 'container:gone' }, /failed to join IPC namespace: No such container: gone/],
  ] as const) {
    const id = await create(engine, { host });
    engine.world.calls.length = 0;
    await assert.rejects(call(engine, 'startContainer', { container: id }), problem);
    assert.equal(engine.world.processes.has(id), false);
  }
});

test('with users mapped, what a user namespace cannot have is refused, unless the container has the host’s', async (t) => {
  const engine = await startEngine(t, { remapsUsers: true });
  for (const [host, problem] of [
    [{ privileged: true }, /privileged mode is incompatible with user namespaces/],
    [{ networkMode: 'host' }, /cannot share the host's network namespace/],
    [{ pidMode: 'host' }, /cannot share the host PID namespace/],
  ] as const) {
    await assert.rejects(create(engine, { host }), problem);
    await create(engine, { host: { ...host, usernsMode: 'host' } });
  }
});
