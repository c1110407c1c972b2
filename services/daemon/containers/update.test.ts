import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ContainerResources } from '../../../proto/gen/longshore/daemon/v1/config.ts';
import { call, create, happened, run, startEngine, until } from '../testing/engine.ts';
import { refusal } from '../testing/world.ts';

const MiB = 1024 * 1024;
const limits = (some: Partial<ContainerResources>) => ({ ...ContainerResources.create(), ...some });
const update = (container: string, some: Partial<ContainerResources>) => ({
  container,
  resources: limits(some),
  restartPolicy: undefined,
});

test('limits that are asked for reach the running container and its record; the others stay', async (t) => {
  const engine = await startEngine(t);
  const resources = limits({ memory: 64 * MiB, cpuShares: 512 });
  const id = await run(engine, { host: { resources } });
  await call(engine, 'updateContainer', update(id, { memory: 96 * MiB, pidsLimit: 20 }));
  const given = engine.world.limits.get(id);
  assert.deepEqual([given?.memory, given?.memorySwap, given?.pidsLimit], [96 * MiB, 128 * MiB, 20]);
  assert.equal(given?.cpuShares, 0);
  const next = await engine.crash();
  const kept = next.containers.records()[0]?.hostConfig.resources;
  assert.deepEqual([kept?.memory, kept?.cpuShares, kept?.pidsLimit], [96 * MiB, 512, 20]);
  assert.ok(happened(next).includes('container:update'));
});

test('of a container that does not run only the record changes', async (t) => {
  const engine = await startEngine(t);
  const id = await create(engine);
  const restartPolicy = { name: 'on-failure', maximumRetryCount: 3 };
  await call(engine, 'updateContainer', { container: id, resources: limits({ nanoCpus: 5e8 }), restartPolicy });
  assert.equal(engine.world.limits.size, 0);
  const { hostConfig } = (await engine.crash()).containers.records()[0] ?? {};
  assert.deepEqual([hostConfig?.resources?.nanoCpus, hostConfig?.restartPolicy], [5e8, restartPolicy]);
});

test('what the kernel refuses is not recorded', async (t) => {
  const engine = await startEngine(t);
  const id = await run(engine, { host: { resources: limits({ cpuShares: 512 }) } });
  engine.world.disturb = (name) => {
    if (name === 'execdriver.updateResources') throw refusal('FAILED_PRECONDITION', 'RUNTIME_FAILED', 'no such CPU');
  };
  await assert.rejects(call(engine, 'updateContainer', update(id, { cpuShares: 256, cpusetCpus: '7' })), /no such CPU/);
  const record = engine.containers.records()[0];
  assert.deepEqual([record?.hostConfig.resources?.cpuShares, record?.pending], [512, undefined]);
});

test('an update that the engine’s death cut off is finished by the next one', async (t) => {
  const engine = await startEngine(t);
  const id = await run(engine);
  engine.world.disturb = (name) => (name === 'execdriver.updateResources' ? new Promise(() => undefined) : undefined);
  void call(engine, 'updateContainer', update(id, { cpuShares: 256 })).catch(() => undefined);
  await until(() => engine.containers.records()[0]?.pending?.verb === 'update', 'recorded');
  const next = await engine.crash((world) => {
    world.disturb = () => undefined;
  });
  await until(() => next.containers.records()[0]?.pending === undefined, 'finished');
  assert.equal(next.world.limits.get(id)?.cpuShares, 256);
});

test('what contradicts the present limits is refused in Docker’s words', async (t) => {
  const engine = await startEngine(t);
  const id = await run(engine, { host: { resources: limits({ memory: 64 * MiB, cpuQuota: 50_000 }) } });
  const refused = (some: Partial<ContainerResources>, message: RegExp) =>
    assert.rejects(call(engine, 'updateContainer', update(id, some)), message);
  await refused({ memory: 256 * MiB }, /Memory limit should be smaller than already set memoryswap limit/);
  await refused(
    { nanoCpus: 1e9 },
    /Conflicting options: Nano CPUs cannot be updated as CPU Quota has already been set/,
  );
  await refused({ memory: MiB }, /Minimum memory limit allowed is 6MB/);
});

test('a prune removes what does not run and matches, and says how much', async (t) => {
  const engine = await startEngine(t);
  const [kept, labelled] = [await create(engine, { config: { labels: { keep: '' } } }), await create(engine)];
  const running = await run(engine);
  const prune = { untilNs: 0n, labels: [], withoutLabels: ['keep'] };
  assert.deepEqual((await call(engine, 'pruneContainers', prune)).removed, [labelled]);
  assert.deepEqual(
    engine.containers.records().map(({ id }) => id),
    [kept, running],
  );
  assert.ok(happened(engine).includes('container:prune'));
});
