import assert from 'node:assert/strict';
import { test } from 'node:test';
import { call, create, happened, recordOf, run, startEngine, until } from '../testing/engine.ts';
import { exit, refusal, unavailable } from '../testing/world.ts';

/** The nth call of a kind finds nobody, or its answer is lost, a few times. */
function outage(kind: string, times = 3): (called: string) => void {
  let left = times;
  return (called) => {
    if (called !== kind || left === 0) return;
    left -= 1;
    throw unavailable(kind.split('.')[0] ?? '');
  };
}

const startCalls = [
  'graphdriver.mountLayer',
  'network.createSandbox',
  'volume.mountVolume',
  'execdriver.startContainer',
];

for (const kind of startCalls) {
  for (const where of ['disturb', 'disturbAnswer'] as const) {
    const what = where === 'disturb' ? 'does not answer for a moment' : 'loses its answers';
    test(`a start goes through when ${kind} ${what}`, async (t) => {
      const engine = await startEngine(t);
      const id = await create(engine, { config: { volumes: ['/data'] } });
      engine.world[where] = outage(kind);
      await call(engine, 'startContainer', { container: id });
      assert.equal(recordOf(engine, id)?.status, 'running');
      assert.equal(engine.world.processes.get(id)?.generation, 1);
    });
  }
}

test('what an ended container held is given back when its owner answers again', async (t) => {
  const engine = await startEngine(t);
  const id = await run(engine);
  let isDown = true;
  engine.world.disturb = (called) => {
    // Not an outage that is waited for: each try fails at once.
    if (called === 'network.removeSandbox' && isDown) throw refusal('INTERNAL', 'BROKEN', 'broken');
  };
  exit(engine.world, id, 0);
  await until(() => recordOf(engine, id)?.status === 'exited', 'the exit is recorded all the same');
  isDown = false;
  await until(() => engine.world.sandboxes.size === 0, 'given back');
});

test('a start after a failed teardown gives back first what is still held', async (t) => {
  const engine = await startEngine(t);
  const id = await run(engine);
  engine.world.disturb = (called) => {
    if (called === 'network.removeSandbox') throw refusal('INTERNAL', 'BROKEN', 'broken');
  };
  exit(engine.world, id, 0);
  await until(() => recordOf(engine, id)?.status === 'exited', 'exited');
  await assert.rejects(call(engine, 'startContainer', { container: id }), /broken/);
  engine.world.disturb = () => undefined;
  await call(engine, 'startContainer', { container: id });
  assert.equal(engine.world.sandboxes.has(id), true);
});

test('exits that happen while the watch is cut are seen when it stands again', async (t) => {
  const engine = await startEngine(t);
  const [first, second] = [await run(engine), await run(engine)];
  engine.world.disturb = (called) => {
    if (called === 'execdriver.watchContainers') throw unavailable('execdriver');
  };
  exit(engine.world, first, 1);
  exit(engine.world, second, 2);
  engine.world.disturb = () => undefined;
  await until(
    () => recordOf(engine, first)?.status === 'exited' && recordOf(engine, second)?.status === 'exited',
    'seen',
  );
  assert.equal(happened(engine).filter((event) => event === 'container:die').length, 2);
});

test('a process that a given-up start has left behind is ended', async (t) => {
  const engine = await startEngine(t);
  const id = await create(engine);
  engine.world.disturbAnswer = (called) => {
    if (called === 'execdriver.startContainer') throw refusal('INTERNAL', 'BROKEN', 'the answer was lost');
  };
  await assert.rejects(call(engine, 'startContainer', { container: id }), /answer was lost/);
  assert.equal(recordOf(engine, id)?.status, 'created');
  await until(() => !engine.world.processes.has(id), 'ended and forgotten');
});
