import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { Outcome } from '../../../proto/gen/longshore/contract/v1/outcome.ts';
import { call, happened, newId, recordOf, run, startEngine, type TestEngine, until } from '../testing/engine.ts';
import { exit, refusal, unavailable } from '../testing/world.ts';

const unlink = (engine: TestEngine, requestId?: string) =>
  call(
    engine,
    'removeContainer',
    { container: 'web/a', force: false, removeVolumes: false, removeLink: true },
    requestId,
  );
const namesIn = (engine: TestEngine, id: string) => engine.world.extraHosts.get(id)?.map(({ names }) => names[0]);
const linksOf = async (engine: TestEngine) =>
  (await call(engine, 'getContainer', { container: 'web', withSize: false })).container?.hostConfig?.links;

/** `web` runs and knows `db` as a and `cache` as b. Gives its id. */
async function linked(t: TestContext) {
  const engine = await startEngine(t);
  for (const name of ['db', 'cache']) await run(engine, { name });
  const host = { links: ['db:a', 'cache:b'], extraHosts: ['far:192.0.2.1'] };
  const id = await run(engine, { name: 'web', host });
  assert.deepEqual(namesIn(engine, id), ['far', 'a', 'b']);
  return { engine, id };
}

test('a link that is removed is gone from the hosts and the graph, once for a request id', async (t) => {
  const { engine, id } = await linked(t);
  const requestId = newId();
  for (const _ of [1, 2]) {
    assert.equal((await unlink(engine, requestId)).outcome, Outcome.OUTCOME_DONE);
    assert.deepEqual([namesIn(engine, id), await linksOf(engine)], [['far', 'b'], ['/cache:/web/b']]);
  }
  assert.equal(engine.world.calls.filter((name) => name === 'network.updateSandbox').length, 1);
  assert.equal(happened(engine).filter((event) => event === 'container:update').length, 1);
  assert.equal((await unlink(engine)).outcome, Outcome.OUTCOME_ABSENT);
});

test('it goes through when the network service loses its answers for a moment', async (t) => {
  const { engine, id } = await linked(t);
  let left = 3;
  engine.world.disturbAnswer = (name) => {
    if (name === 'network.updateSandbox' && left-- > 0) throw unavailable('network');
  };
  await unlink(engine);
  assert.deepEqual(namesIn(engine, id), ['far', 'b']);
});

test('when the hosts cannot be changed the link stays', async (t) => {
  const { engine, id } = await linked(t);
  engine.world.disturb = (name) => {
    if (name === 'network.updateSandbox') throw refusal('INTERNAL', 'BROKEN', 'broken');
  };
  await assert.rejects(unlink(engine), /broken/);
  assert.deepEqual(
    [namesIn(engine, id), await linksOf(engine)],
    [
      ['far', 'a', 'b'],
      ['/db:/web/a', '/cache:/web/b'],
    ],
  );
  assert.equal(recordOf(engine, id)?.pending, undefined);
});

test('of one that ends meanwhile the link goes all the same', async (t) => {
  const { engine, id } = await linked(t);
  engine.world.disturb = async (name) => {
    if (name !== 'network.updateSandbox') return;
    exit(engine.world, id, 0);
    await until(() => recordOf(engine, id)?.status === 'exited', 'it has ended');
    throw refusal('INTERNAL', 'BROKEN', 'broken');
  };
  assert.equal((await unlink(engine)).outcome, Outcome.OUTCOME_DONE);
  assert.deepEqual(await linksOf(engine), ['/cache:/web/b']);
  assert.equal(recordOf(engine, id)?.pending, undefined);
});

for (const where of ['disturb', 'disturbAnswer'] as const) {
  const when = where === 'disturb' ? 'before' : 'after';
  test(`the engine dies ${when} the hosts are changed: they say what the graph does, and a repeat is done`, async (t) => {
    const { engine: dying, id } = await linked(t);
    let isReached = false;
    dying.world[where] = (name) => {
      if (name !== 'network.updateSandbox') return;
      isReached = true;
      return new Promise(() => {});
    };
    const requestId = newId();
    unlink(dying, requestId);
    await until(() => isReached, 'the call is under way');
    const engine = await dying.crash((world) => {
      world[where] = () => undefined;
    });
    assert.deepEqual(
      [namesIn(engine, id), await linksOf(engine)],
      [
        ['far', 'a', 'b'],
        ['/db:/web/a', '/cache:/web/b'],
      ],
    );
    assert.equal(recordOf(engine, id)?.pending, undefined);
    assert.equal((await unlink(engine, requestId)).outcome, Outcome.OUTCOME_DONE);
    assert.deepEqual([namesIn(engine, id), await linksOf(engine)], [['far', 'b'], ['/cache:/web/b']]);
  });
}

test('a link of one that does not run is taken from the graph alone', async (t) => {
  const { engine, id } = await linked(t);
  exit(engine.world, id, 0);
  await until(() => recordOf(engine, id)?.status === 'exited', 'it has ended');
  await unlink(engine);
  assert.deepEqual(await linksOf(engine), ['/cache:/web/b']);
  assert.equal(engine.world.calls.includes('network.updateSandbox'), false);
});
