import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HealthConfig } from '../../../../proto/gen/longshore/daemon/v1/config.ts';
import { Health, HealthStatus, ListContainersRequest } from '../../../../proto/gen/longshore/daemon/v1/container.ts';
import type { RunProbeResponse } from '../../../../proto/gen/longshore/execdriver/v1/exec.ts';
import { call, contextOf, create, run, startEngine, type TestEngine, until } from '../../testing/engine.ts';
import { exit, refusal, unavailable } from '../../testing/world.ts';

const second = 1_000_000_000n;
const check = (more: Partial<HealthConfig> = {}) => ({
  healthcheck: HealthConfig.fromPartial({
    test: ['CMD-SHELL', 'check me'],
    intervalNs: 10n * second,
    retries: 2,
    ...more,
  }),
});
const { HEALTH_STATUS_STARTING, HEALTH_STATUS_HEALTHY, HEALTH_STATUS_UNHEALTHY } = HealthStatus;

async function healthOf(engine: TestEngine, container: string): Promise<Health | undefined> {
  const { container: found } = await call(engine, 'getContainer', { container, withSize: false });
  const health = found?.state?.health;
  return health && Health.fromPartial(health);
}

async function statusOf(engine: TestEngine, container: string): Promise<HealthStatus | undefined> {
  return (await healthOf(engine, container))?.status;
}

/** Probes end so from now on. */
function probesEnd(engine: TestEngine, response: Partial<RunProbeResponse>): void {
  engine.world.onProbe = () => response;
}

const told = (engine: TestEngine) =>
  [...engine.events.kept(0)]
    .map(({ event }) => event)
    .filter(({ action }) => /^(exec_|health_)/.test(action))
    .map(({ action, attributes }) => ('exitCode' in attributes ? `${action} ${attributes['exitCode']}` : action));
const probes = ({ world }: TestEngine) => world.calls.filter((name) => name === 'execdriver.runProbe').length;

test('a container begins as starting, is first probed after the interval, and a success makes it healthy', async (t) => {
  const engine = await startEngine(t);
  const id = await run(engine, { config: check() });
  assert.deepEqual(await healthOf(engine, id), { status: HEALTH_STATUS_STARTING, failingStreak: 0, log: [] });
  await engine.world.clock.advance(9_999);
  assert.equal(probes(engine), 0);
  probesEnd(engine, { exitCode: 0, output: Buffer.from('fine') });
  await engine.world.clock.advance(1);
  const health = await healthOf(engine, id);
  assert.equal(health?.status, HEALTH_STATUS_HEALTHY);
  assert.deepEqual(
    health?.log.map(({ exitCode, output }) => [exitCode, Buffer.from(output).toString()]),
    [[0, 'fine']],
  );
});

test('each probe is told as an exec, and each change of the health once', async (t) => {
  const engine = await startEngine(t);
  await run(engine, { config: check() });
  await engine.world.clock.advance(20_000);
  const probed = ['exec_create: /bin/sh -c check me', 'exec_start: /bin/sh -c check me', 'exec_die 0'];
  assert.deepEqual(told(engine), [...probed, 'health_status: healthy', ...probed]);
});

test('so many failures in a row as the check says make it unhealthy, a success makes it healthy again', async (t) => {
  const engine = await startEngine(t);
  const id = await run(engine, { config: check() });
  await engine.world.clock.advance(10_000);
  probesEnd(engine, { exitCode: 1 });
  await engine.world.clock.advance(10_000);
  assert.deepEqual(
    [await statusOf(engine, id), (await healthOf(engine, id))?.failingStreak],
    [HEALTH_STATUS_HEALTHY, 1],
  );
  await engine.world.clock.advance(10_000);
  assert.deepEqual(
    [await statusOf(engine, id), (await healthOf(engine, id))?.failingStreak],
    [HEALTH_STATUS_UNHEALTHY, 2],
  );
  probesEnd(engine, { exitCode: 0 });
  await engine.world.clock.advance(10_000);
  assert.deepEqual(
    [await statusOf(engine, id), (await healthOf(engine, id))?.failingStreak],
    [HEALTH_STATUS_HEALTHY, 0],
  );
  assert.deepEqual(
    told(engine).filter((action) => action.startsWith('health')),
    ['health_status: healthy', 'health_status: unhealthy', 'health_status: healthy'],
  );
});

test('failures in the start period do not count, and it is probed more often until it is healthy', async (t) => {
  const engine = await startEngine(t);
  probesEnd(engine, { exitCode: 1 });
  const id = await run(engine, { config: check({ startPeriodNs: 15n * second, startIntervalNs: 2n * second }) });
  await engine.world.clock.advance(14_900);
  assert.equal(probes(engine), 7);
  assert.deepEqual(
    [await statusOf(engine, id), (await healthOf(engine, id))?.failingStreak],
    [HEALTH_STATUS_STARTING, 0],
  );
  // At its end, and then each interval.
  await engine.world.clock.advance(200);
  assert.deepEqual([probes(engine), (await healthOf(engine, id))?.failingStreak], [8, 1]);
  await engine.world.clock.advance(10_000);
  assert.deepEqual([probes(engine), await statusOf(engine, id)], [9, HEALTH_STATUS_UNHEALTHY]);
});

test('a success in the start period is healthy at once; then failures count', async (t) => {
  const engine = await startEngine(t);
  const id = await run(engine, { config: check({ startPeriodNs: 100n * second, startIntervalNs: 2n * second }) });
  await engine.world.clock.advance(2_000);
  assert.equal(await statusOf(engine, id), HEALTH_STATUS_HEALTHY);
  probesEnd(engine, { exitCode: 1 });
  await engine.world.clock.advance(9_000);
  assert.equal(probes(engine), 1);
  await engine.world.clock.advance(11_000);
  assert.deepEqual([probes(engine), await statusOf(engine, id)], [3, HEALTH_STATUS_UNHEALTHY]);
});

test('the last five results are kept, long output with dots behind it', async (t) => {
  const engine = await startEngine(t);
  const id = await run(engine, { config: check() });
  let count = 0;
  engine.world.onProbe = ({ outputLimit }) => {
    count += 1;
    return { exitCode: 0, output: Buffer.from(`${count} of ${outputLimit}`), outputCut: count === 7 };
  };
  await engine.world.clock.advance(70_000);
  const outputs = (await healthOf(engine, id))?.log.map(({ output }) => Buffer.from(output).toString());
  assert.deepEqual(outputs, ['3 of 4096', '4 of 4096', '5 of 4096', '6 of 4096', '7 of 4096...']);
});

test('a probe that takes too long, or cannot be run, is a failure with -1 and Docker’s words', async (t) => {
  const engine = await startEngine(t);
  const id = await run(engine, { config: check({ timeoutNs: 1_500_000_000n }) });
  probesEnd(engine, { output: Buffer.from('so far') });
  await engine.world.clock.advance(10_000);
  probesEnd(engine, {});
  await engine.world.clock.advance(10_000);
  engine.world.onProbe = () => {
    throw refusal('NOT_FOUND', 'COMMAND_NOT_FOUND', 'exec: "check": executable file not found in $PATH');
  };
  await engine.world.clock.advance(10_000);
  const health = await healthOf(engine, id);
  assert.deepEqual(
    health?.log.map(({ exitCode, output }) => [exitCode, Buffer.from(output).toString()]),
    [
      [-1, 'Health check exceeded timeout (1.5s): so far'],
      [-1, 'Health check exceeded timeout (1.5s)'],
      [-1, 'exec: "check": executable file not found in $PATH'],
    ],
  );
  assert.equal(health?.status, HEALTH_STATUS_UNHEALTHY);
  assert.deepEqual(
    told(engine).filter((action) => action.startsWith('exec_die')),
    ['exec_die 137', 'exec_die 137', 'exec_die 127'],
  );
});

test('that the exec driver is down says nothing of a container', async (t) => {
  const engine = await startEngine(t);
  const id = await run(engine, { config: check({ retries: 1 }) });
  engine.world.onProbe = () => {
    throw unavailable('execdriver');
  };
  await engine.world.clock.advance(30_000);
  assert.deepEqual(await healthOf(engine, id), { status: HEALTH_STATUS_STARTING, failingStreak: 0, log: [] });
});

test('one probe at a time: the next waits from the end of the one before', async (t) => {
  const engine = await startEngine(t);
  await run(engine, { config: check() });
  const running = Promise.withResolvers<Partial<RunProbeResponse>>();
  engine.world.onProbe = () => running.promise;
  await engine.world.clock.advance(60_000);
  assert.deepEqual([told(engine).length, engine.world.clock.next], [2, undefined]);
  running.resolve({ exitCode: 0 });
  await until(() => engine.world.clock.next !== undefined, 'the next probe is planned');
  assert.equal(engine.world.clock.next, 10_000);
});

test('a paused container is not probed, and is unhealthy until it is probed again', async (t) => {
  const engine = await startEngine(t);
  const id = await run(engine, { config: check() });
  await engine.world.clock.advance(10_000);
  await call(engine, 'pauseContainer', { container: id });
  await engine.world.clock.advance(60_000);
  assert.deepEqual([probes(engine), await statusOf(engine, id)], [1, HEALTH_STATUS_UNHEALTHY]);
  await call(engine, 'unpauseContainer', { container: id });
  await engine.world.clock.advance(10_000);
  assert.deepEqual([probes(engine), await statusOf(engine, id)], [2, HEALTH_STATUS_HEALTHY]);
});

test('one that has ended is not probed and unhealthy; started again it is starting, with the old log', async (t) => {
  const engine = await startEngine(t);
  const id = await run(engine, { config: check() });
  await engine.world.clock.advance(10_000);
  exit(engine.world, id, 1);
  await until(() => engine.containers.records()[0]?.status === 'exited', 'exited');
  assert.equal(await statusOf(engine, id), HEALTH_STATUS_UNHEALTHY);
  await engine.world.clock.advance(60_000);
  assert.equal(probes(engine), 1);
  await call(engine, 'startContainer', { container: id });
  const health = await healthOf(engine, id);
  assert.deepEqual([health?.status, health?.failingStreak, health?.log.length], [HEALTH_STATUS_STARTING, 0, 1]);
});

test('what a probe finds after its container has ended is not heard', async (t) => {
  const engine = await startEngine(t);
  const id = await run(engine, { config: check() });
  const running = Promise.withResolvers<Partial<RunProbeResponse>>();
  engine.world.onProbe = () => running.promise;
  await engine.world.clock.advance(10_000);
  exit(engine.world, id, 1);
  await until(() => engine.containers.records()[0]?.status === 'exited', 'exited');
  running.resolve({ exitCode: 0 });
  await until(() => told(engine).some((action) => action.startsWith('exec_die')), 'the end of the probe is told');
  assert.deepEqual((await healthOf(engine, id))?.log, []);
});

test('without a check, and with NONE, there is no health, and nothing is probed', async (t) => {
  const engine = await startEngine(t);
  const ids = [await run(engine), await run(engine, { config: check({ test: ['NONE'] }) })];
  await engine.world.clock.advance(60_000);
  for (const id of ids) assert.equal(await healthOf(engine, id), undefined);
  assert.equal(probes(engine), 0);
  assert.equal(await statusOf(engine, await create(engine, { config: check() })), undefined);
});

test('the list is filtered by health', async (t) => {
  const engine = await startEngine(t);
  const [healthy, failing] = [
    await run(engine, { config: check() }),
    await run(engine, { config: check({ test: ['CMD', 'bad'] }) }),
  ];
  engine.world.onProbe = ({ containerId }) => ({ exitCode: containerId === healthy ? 0 : 1 });
  const without = await run(engine);
  const listed = async (...healths: string[]) => {
    const request = ListContainersRequest.fromPartial({ filter: { healths } });
    const rows = engine.services.containers.listContainers(request, contextOf(AbortSignal.timeout(5_000)));
    return (await Array.fromAsync(rows)).map(({ container }) => container?.id);
  };
  assert.deepEqual(await listed('starting'), [failing, healthy]);
  await engine.world.clock.advance(20_000);
  assert.deepEqual(await listed('healthy'), [healthy]);
  assert.deepEqual(await listed('unhealthy'), [failing]);
  assert.deepEqual(await listed('none'), [without]);
  assert.deepEqual(await listed('none', 'unhealthy'), [without, failing]);
});

test('an engine that comes back goes on probing, and a healthy container has stayed healthy', async (t) => {
  const engine = await startEngine(t);
  const id = await run(engine, { config: check() });
  await engine.world.clock.advance(10_000);
  const next = await engine.crash();
  assert.equal(await statusOf(next, id), HEALTH_STATUS_HEALTHY);
  probesEnd(next, { exitCode: 1 });
  await next.world.clock.advance(20_000);
  assert.equal(await statusOf(next, id), HEALTH_STATUS_UNHEALTHY);
});

test('one that has ended while no engine ran is not healthy any more', async (t) => {
  const engine = await startEngine(t);
  const id = await run(engine, { config: check() });
  await engine.world.clock.advance(10_000);
  const next = await engine.crash((world) => exit(world, id, 1));
  assert.equal(await statusOf(next, id), HEALTH_STATUS_UNHEALTHY);
});
