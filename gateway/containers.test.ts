import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { test } from 'node:test';
import { Outcome } from '../proto/gen/longshore/contract/v1/outcome.ts';
import {
  ContainerStatus,
  type CreateContainerRequest,
  type ListContainersRequest,
  type StopContainerRequest,
  WaitCondition,
} from '../proto/gen/longshore/daemon/v1/container.ts';
import { container, id } from './testing/daemon.ts';
import { errors, startEngine } from './testing/engine.ts';
import { ask, askJson, begin } from './testing/http.ts';

test('create hands on name, config, host config and endpoints under an id of the gateway', async (t) => {
  let asked: CreateContainerRequest | undefined;
  const { socket } = await startEngine(t, {
    containers: {
      async createContainer(request) {
        asked = request;
        return { id: request.id, name: request.name, warnings: ['slow'] };
      },
    },
  });
  const { status, value } = await askJson(socket, 'POST /v1.43/containers/create?name=/web&platform=linux/amd64', {
    Image: 'busybox',
    Cmd: 'true',
    Entrypoint: null,
    Env: ['A=1'],
    ExposedPorts: { '80/tcp': {} },
    MacAddress: '02:00:00:00:00:01',
    StopTimeout: 3,
    Healthcheck: { Test: ['CMD', 'true'], Interval: 1_500_000_000 },
    HostConfig: {
      Binds: ['/a:/b:ro'],
      Memory: 8_000_000,
      NetworkMode: 'default',
      PortBindings: { '80/tcp': [{ HostPort: '8080' }], '81/tcp': null },
      RestartPolicy: { Name: 'on-failure', MaximumRetryCount: 2 },
      Ulimits: [{ Name: 'nofile', Soft: -1, Hard: -1 }],
      MaskedPaths: [],
      ReadonlyPaths: null,
      DeviceRequests: [{ Driver: '', Count: -1, Capabilities: [['gpu', 'compute']] }],
      BlkioWeightDevice: null,
    },
    NetworkingConfig: { EndpointsConfig: { bridge: { Aliases: ['w'], IPAMConfig: null } } },
  });
  assert.equal(status, 201);
  assert.ok(asked);
  assert.match(asked.id, /^[0-9a-f]{64}$/);
  assert.deepEqual(value, { Id: asked.id, Warnings: ['slow'] });
  assert.equal(asked.name, 'web');
  assert.equal(asked.platform, 'linux/amd64');
  assert.deepEqual(asked.config?.cmd?.values, ['true']);
  assert.equal(asked.config?.entrypoint, undefined);
  assert.deepEqual(asked.config?.exposedPorts, ['80/tcp']);
  assert.equal(asked.config?.stopTimeoutS, 3);
  assert.equal(asked.config?.healthcheck?.intervalNs, 1_500_000_000n);
  assert.equal(asked.hostConfig?.resources?.memory, 8_000_000);
  assert.equal(asked.hostConfig?.resources?.ulimits[0]?.hard, -1n);
  assert.deepEqual(asked.hostConfig?.portBindings['80/tcp']?.bindings, [{ hostIp: '', hostPort: '8080' }]);
  assert.deepEqual(asked.hostConfig?.portBindings['81/tcp']?.bindings, []);
  assert.deepEqual(asked.hostConfig?.maskedPaths, { values: [] });
  assert.equal(asked.hostConfig?.readonlyPaths, undefined);
  assert.deepEqual(asked.hostConfig?.deviceRequests[0]?.capabilities, [{ values: ['gpu', 'compute'] }]);
  assert.equal(asked.endpoints.bridge?.macAddress, '02:00:00:00:00:01');
  assert.deepEqual(asked.endpoints.bridge?.aliases, ['w']);
});

test('of a named create the daemon is told whether its client took the answer', async (t) => {
  const reports: { id: string; taken: boolean }[] = [];
  let told = Promise.withResolvers<void>();
  let made: CreateContainerRequest | undefined;
  let beforeAnswer = () => {};
  const { socket } = await startEngine(t, {
    containers: {
      async createContainer(request) {
        made = request;
        beforeAnswer();
        return { id: request.id, name: request.name, warnings: [] };
      },
      async reportAnswer(report) {
        reports.push(report);
        told.resolve();
        return {};
      },
    },
  });
  const reported = async () => {
    await told.promise;
    told = Promise.withResolvers();
    return reports.splice(0);
  };
  await askJson(socket, 'POST /containers/create?name=web', { Image: 'x' });
  assert.deepEqual(await reported(), [{ id: made?.id, taken: true }]);
  assert.equal(made?.reportsAnswer, true);

  const client = connect(socket);
  beforeAnswer = () => client.destroy();
  client.write('POST /containers/create?name=db HTTP/1.1\r\nHost: x\r\nContent-Length: 13\r\n\r\n{"Image":"x"}');
  assert.deepEqual(await reported(), [{ id: made?.id, taken: false }]);
  assert.equal(made?.name, 'db');

  beforeAnswer = () => {};
  await askJson(socket, 'POST /containers/create', { Image: 'x' });
  assert.equal(made?.reportsAnswer, false);
  await askJson(socket, 'POST /containers/create?name=last', { Image: 'x' });
  assert.deepEqual(await reported(), [{ id: made?.id, taken: true }], 'nothing of the one without a name');
});

test('a body that is not well-formed is 400 and names the field; one that cannot be honoured is 501', async (t) => {
  const { socket } = await startEngine(t, {});
  const cases: [body: unknown, status: number, message: RegExp][] = [
    [undefined, 400, /config cannot be empty/],
    ['{"Image":', 400, /invalid JSON/],
    [[], 400, /the request body must be an object/],
    [{ Image: 7 }, 400, /invalid Image: it must be a text/],
    [{ Image: 'x', Env: ['A', 1] }, 400, /invalid Env/],
    [{ Image: 'x', Labels: { a: 1 } }, 400, /invalid Labels/],
    [{ Image: 'x', StopTimeout: 1e12 }, 400, /invalid StopTimeout: it must be a whole number from/],
    [{ Image: 'x', HostConfig: { Memory: 1.5 } }, 400, /invalid HostConfig.Memory/],
    [{ Image: 'x', HostConfig: { Memory: 2 ** 60 } }, 400, /invalid HostConfig.Memory/],
    [{ Image: 'x', HostConfig: { Mounts: [{ Target: 1 }] } }, 400, /invalid HostConfig.Mounts\[0\].Target/],
    [
      { Image: 'x', HostConfig: { PortBindings: { '80/tcp': [{ HostPort: 1 }] } } },
      400,
      /PortBindings\[80\/tcp\].HostPort/,
    ],
    [{ Image: 'x', HostConfig: { Cgroup: 'x' } }, 501, /HostConfig.Cgroup/],
    [{ Image: 'x', HostConfig: { Mounts: [{ VolumeOptions: { Subpath: 'a' } }] } }, 501, /VolumeOptions.Subpath/],
  ];
  for (const [body, status, message] of cases) {
    const answered = await askJson(socket, 'POST /containers/create', body);
    assert.equal(answered.status, status, JSON.stringify(body));
    assert.match(answered.value.message, message);
    assert.doesNotMatch(answered.value.message, /\n| at /);
  }
  for (const [what, message] of [
    ['POST /containers/x/stop?t=soon', /invalid t/],
    ['POST /containers/x/stop?t=99999999999999999999', /invalid t/],
    ['POST /containers/x/resize?h=70000&w=1', /invalid resize height/],
    ['POST /containers/x/wait?condition=tired', /invalid condition: "tired"/],
    ['GET /containers/json?limit=few', /invalid limit/],
    ['GET /containers/json?filters=[', /invalid filter/],
    ['GET /containers/json?filters={"colour":["red"]}', /invalid filter 'colour'/],
    ['GET /containers/x/logs', /you must choose at least one stream/],
    ['GET /containers/x/logs?stdout=1&tail=few', /invalid tail/],
    ['GET /containers/x/logs?stdout=1&since=yesterday', /invalid since/],
    ['GET /containers/%/json', /not well-formed/],
  ] as const) {
    const { status, value } = await askJson(socket, what.replaceAll('"', '%22'));
    assert.equal(status, 400, what);
    assert.match(value.message, message);
  }
});

test('outcomes are 204, 304 and 404', async (t) => {
  const outcomes = { done: Outcome.OUTCOME_DONE, already: Outcome.OUTCOME_ALREADY, absent: Outcome.OUTCOME_ABSENT };
  const answer = async (request: { container: string }) => ({
    outcome: outcomes[request.container as keyof typeof outcomes],
  });
  let asked: StopContainerRequest | undefined;
  const { socket } = await startEngine(t, {
    containers: {
      startContainer: answer,
      removeContainer: answer,
      killContainer: answer,
      async stopContainer(request) {
        asked = request;
        return answer(request);
      },
    },
  });
  const status = async (what: string) => (await ask(socket, what)).status;
  assert.equal(await status('POST /containers/done/start'), 204);
  assert.equal(await status('POST /containers/already/start'), 304);
  assert.equal(await status('POST /containers/done/stop?t=3&signal=SIGINT'), 204);
  assert.deepEqual({ ...asked }, { container: 'done', signal: 'SIGINT', timeoutS: 3 });
  assert.equal(await status('POST /containers/already/stop'), 304);
  assert.equal(asked?.timeoutS, undefined);
  assert.equal(await status('POST /containers/done/kill'), 204);
  assert.equal(await status('DELETE /containers/done'), 204);
  assert.deepEqual(await askJson(socket, 'DELETE /containers/absent'), {
    status: 404,
    value: { message: 'No such container: absent' },
  });
});

test('inspect and list show the record in Docker’s shape', async (t) => {
  let asked: ListContainersRequest | undefined;
  const { socket } = await startEngine(t, {
    containers: {
      getContainer: async () => ({ container: container({ apparmorProfile: 'docker-default' }) }),
      async *listContainers(request) {
        asked = request;
        yield { container: container() };
        yield { container: container({ state: undefined, network: undefined }) };
      },
    },
  });
  const { value: inspected } = await askJson(socket, 'GET /containers/eager_hopper/json');
  assert.equal(inspected.Id, id);
  assert.equal(inspected.Name, '/eager_hopper');
  assert.equal(inspected.AppArmorProfile, 'docker-default');
  assert.equal(inspected.Created, '2023-11-14T22:13:20.123456789Z');
  assert.deepEqual([inspected.Path, inspected.Args], ['sh', ['-c', 'echo hi']]);
  assert.deepEqual(inspected.State, {
    Status: 'running',
    Running: true,
    Paused: false,
    Restarting: false,
    OOMKilled: false,
    Dead: false,
    Pid: 42,
    ExitCode: 0,
    Error: '',
    StartedAt: '2023-11-14T22:13:21Z',
    FinishedAt: '0001-01-01T00:00:00Z',
  });
  assert.deepEqual(inspected.NetworkSettings.Ports, {
    '80/tcp': [{ HostIp: '0.0.0.0', HostPort: '8080' }],
    '53/udp': null,
  });
  assert.equal(inspected.NetworkSettings.Networks.bridge.IPAddress, '172.17.0.2');

  const filters = { name: { hop: true }, label: ['a=b'], exited: ['0', '137'], status: ['running'] };
  const { value: rows } = await askJson(
    socket,
    `GET /containers/json?limit=-1&size=1&filters=${encodeURIComponent(JSON.stringify(filters))}`,
  );
  assert.equal(asked?.all, true);
  assert.equal(asked?.limit, 0);
  assert.equal(asked?.withSize, true);
  assert.deepEqual(asked?.filter?.names, ['hop']);
  assert.deepEqual(asked?.filter?.exitCodes, [0, 137]);
  const [running, created] = rows;
  assert.deepEqual(running.Names, ['/eager_hopper']);
  assert.equal(running.Command, "sh -c 'echo hi'");
  assert.equal(running.State, 'running');
  assert.match(running.Status, /^Up \d+ (months|years)$/);
  assert.deepEqual(running.Ports, [
    { IP: '0.0.0.0', PrivatePort: 80, PublicPort: 8080, Type: 'tcp' },
    { PrivatePort: 53, Type: 'udp' },
  ]);
  assert.deepEqual([created.State, created.Status, created.Ports], ['created', 'Created', []]);
});

test('wait answers its head when the wait stands, and the exit when it comes', async (t) => {
  const exit = Promise.withResolvers<void>();
  let condition: WaitCondition | undefined;
  const { socket } = await startEngine(t, {
    containers: {
      async *waitContainer(request) {
        condition = request.condition;
        yield { event: { $case: 'standing', value: true } };
        await exit.promise;
        yield { event: { $case: 'exit', value: { code: 137, error: '' } } };
      },
    },
  });
  const response = await begin(socket, 'POST /containers/x/wait?condition=next-exit');
  assert.equal(response.statusCode, 200);
  assert.equal(condition, WaitCondition.WAIT_CONDITION_NEXT_EXIT);
  exit.resolve();
  const [body] = (await response.toArray()) as Buffer[];
  assert.deepEqual(JSON.parse(String(body)), { StatusCode: 137, Error: null });
});

test('an owner’s error keeps its message and gets Docker’s status', async (t) => {
  const { socket } = await startEngine(t, {
    containers: {
      getContainer: () => {
        throw errors.containerNotFound({ container: 'x' });
      },
      createContainer: () => {
        throw errors.nameInUse();
      },
      startContainer: () => {
        throw errors.commandNotFound();
      },
      pauseContainer: () => {
        throw new Error('unforeseen');
      },
    },
  });
  assert.deepEqual(await askJson(socket, 'GET /containers/x/json'), {
    status: 404,
    value: { message: 'No such container: x' },
  });
  assert.equal((await ask(socket, 'POST /containers/create', { Image: 'x' })).status, 409);
  assert.equal((await ask(socket, 'POST /containers/x/start')).status, 400);
  const { status, value } = await askJson(socket, 'POST /containers/x/pause');
  assert.equal(status, 500);
  assert.equal(value.message, 'internal error in daemon: unforeseen');
});

test('a daemon that is down fails its own requests with 503 after a while, and they work when it is back', async (t) => {
  const engine = await startEngine(t, {
    containers: { getContainer: async () => ({ container: container() }) },
    volumes: { async *listVolumes() {} },
  });
  await engine.stop('daemon');
  const begun = performance.now();
  const { status, value } = await askJson(engine.socket, 'GET /containers/x/json');
  assert.equal(status, 503);
  assert.match(value.message, /daemon does not answer/);
  assert.ok(performance.now() - begun > 1500);
  assert.equal((await ask(engine.socket, 'GET /volumes')).status, 200);

  const waiting = ask(engine.socket, 'GET /containers/x/json');
  await engine.restart('daemon');
  assert.equal((await waiting).status, 200);
});

test('changes are those of the container’s own layer', async (t) => {
  const { socket } = await startEngine(t, {
    containers: { openStream: async () => ({ containerId: id, status: ContainerStatus.CONTAINER_STATUS_EXITED }) },
    layers: {
      async *listChanges(request) {
        assert.equal(request.id, id);
        yield { path: '/etc', kind: 1 };
        yield { path: '/etc/new', kind: 2 };
        yield { path: '/gone', kind: 3 };
      },
    },
  });
  assert.deepEqual((await askJson(socket, 'GET /containers/x/changes')).value, [
    { Path: '/etc', Kind: 0 },
    { Path: '/etc/new', Kind: 1 },
    { Path: '/gone', Kind: 2 },
  ]);
});
