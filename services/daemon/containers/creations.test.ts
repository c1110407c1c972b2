import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { withCall } from '../../../kit/rpc/call.ts';
import { Outcome } from '../../../proto/gen/longshore/contract/v1/outcome.ts';
import {
  type CreateContainerRequest,
  CreateContainerResponse,
} from '../../../proto/gen/longshore/daemon/v1/container.ts';
import {
  call,
  contextOf,
  createRequest,
  newId,
  recordOf,
  startEngine,
  type TestEngine,
  until,
} from '../testing/engine.ts';
import { unavailable } from '../testing/world.ts';

/** A create by a client that can go away. */
function asked(engine: TestEngine, request: CreateContainerRequest) {
  const client = new AbortController();
  const answer = withCall({ signal: client.signal, requestId: newId() }, async () =>
    CreateContainerResponse.create(await engine.services.containers.createContainer(request, contextOf(client.signal))),
  );
  answer.catch(() => undefined);
  return { answer, goAway: () => client.abort() };
}

/** Each with an id of its own, as the gateway makes them. */
const request = (name: string, hostname = '') => createRequest({ id: newId(), name, config: { hostname } });

/** Layers are made when they are let. */
function held(engine: TestEngine): () => void {
  const { promise, resolve } = Promise.withResolvers<void>();
  engine.world.disturb = (called) => (called === 'graphdriver.createLayer' ? promise : undefined);
  return resolve;
}

test('a create whose client went away gives the same container to who asks again', async (t) => {
  const engine = await startEngine(t);
  const release = held(engine);
  const first = asked(engine, request('web'));
  first.goAway();
  const second = asked(engine, request('web'));
  second.goAway();
  const third = asked(engine, request('web'));
  release();
  const [made, again] = [await first.answer, await third.answer];
  assert.deepEqual([made.outcome, again.outcome], [Outcome.OUTCOME_DONE, Outcome.OUTCOME_ALREADY]);
  assert.equal(again.id, made.id);
  assert.equal(recordOf(engine, made.id)?.name, 'web');
  assert.equal(engine.containers.records().length, 1);
  // It has been told now: who asks once more means another.
  await assert.rejects(asked(engine, request('web')).answer, { reason: 'NAME_IN_USE' });
});

test('it does so too when the first is long over, but not when it is gone or something else is asked for', async (t) => {
  const engine = await startEngine(t);
  const first = asked(engine, request('web'));
  first.goAway();
  const { id } = await first.answer;
  await assert.rejects(asked(engine, request('web', 'other')).answer, { reason: 'NAME_IN_USE' });
  assert.equal((await asked(engine, request('web')).answer).id, id);

  const second = asked(engine, request('db'));
  second.goAway();
  const gone = await second.answer;
  await call(engine, 'removeContainer', { container: 'db', force: false, removeVolumes: false });
  const anew = await asked(engine, request('db')).answer;
  assert.equal(anew.outcome, Outcome.OUTCOME_DONE);
  assert.notEqual(anew.id, gone.id);
});

test('two clients that are both there have a conflict', async (t) => {
  const engine = await startEngine(t);
  const release = held(engine);
  const first = asked(engine, request('web'));
  await assert.rejects(asked(engine, request('web')).answer, { reason: 'NAME_IN_USE' });
  release();
  await first.answer;
});

test('when the first fails after all, who asks again has a container made', async (t) => {
  const engine = await startEngine(t);
  const { promise, resolve } = Promise.withResolvers<void>();
  let times = 0;
  engine.world.disturb = async (called) => {
    if (called !== 'graphdriver.createLayer' || times++ > 0) return;
    await promise;
    throw unavailable('graphdriver');
  };
  const first = asked(engine, request('web'));
  first.goAway();
  const second = asked(engine, request('web'));
  resolve();
  await first.answer.catch(() => undefined);
  assert.equal((await second.answer).name, 'web');
  assert.equal(engine.containers.records().length, 1);
});

/** Commits reach the disk when they are let; nobody is answered before. */
function unsynced(t: TestContext, engine: TestEngine): () => void {
  const { promise, resolve } = Promise.withResolvers<void>();
  t.mock.method(engine.engine.records, 'synced', () => promise);
  return resolve;
}

const isMade = (engine: TestEngine) => until(() => engine.containers.records().length === 1, 'it is made');
const isTold = (engine: TestEngine) =>
  until(() => engine.containers.records().every(({ unanswered }) => unanswered === undefined), 'it is told');

test('who went away while the record came to the disk has not been told either', async (t) => {
  const engine = await startEngine(t);
  const sync = unsynced(t, engine);
  const first = asked(engine, request('web'));
  await isMade(engine);
  await assert.rejects(asked(engine, request('web')).answer, { reason: 'NAME_IN_USE' });
  first.goAway();
  sync();
  const { id } = await first.answer;
  assert.equal((await asked(engine, request('web')).answer).id, id);
});

test('the engine dies between the record and the answer: the next one gives the container to who asks again, once', async (t) => {
  const dying = await startEngine(t);
  unsynced(t, dying);
  asked(dying, request('web'));
  await isMade(dying);
  const engine = await dying.crash();
  const [made] = engine.containers.records();
  await assert.rejects(asked(engine, request('web', 'other')).answer, { reason: 'NAME_IN_USE' });
  const [one, other] = await Promise.allSettled([
    asked(engine, request('web')).answer,
    asked(engine, request('web')).answer,
  ]);
  assert.equal(one.status, 'fulfilled');
  assert.deepEqual([one.value.outcome, one.value.id], [Outcome.OUTCOME_ALREADY, made?.id]);
  assert.equal(other.status, 'rejected');
  await isTold(engine);
  const next = await engine.crash();
  await assert.rejects(asked(next, request('web')).answer, { reason: 'NAME_IN_USE' });
  assert.equal(next.containers.records().length, 1);
});

test('the engine dies after a client gave up: each further one that gives up too leaves it to the next', async (t) => {
  let engine = await startEngine(t);
  const first = asked(engine, request('web'));
  first.goAway();
  const { id } = await first.answer;
  engine = await engine.crash();
  const second = asked(engine, request('web'));
  second.goAway();
  await second.answer;
  engine = await engine.crash();
  assert.equal((await asked(engine, request('web')).answer).id, id);
});

test('a create that was answered is a conflict for the next engine too; no sync of its own says so', async (t) => {
  const engine = await startEngine(t);
  const { mock } = t.mock.method(engine.engine.records, 'synced');
  await asked(engine, request('web')).answer;
  await isTold(engine);
  assert.equal(mock.callCount(), 1);
  const next = await engine.crash();
  await assert.rejects(asked(next, request('web')).answer, { reason: 'NAME_IN_USE' });
});

test('so is one whose answer came by a repeat of its request id', async (t) => {
  const dying = await startEngine(t);
  unsynced(t, dying);
  const wanted = request('web');
  const requestId = newId();
  call(dying, 'createContainer', wanted, requestId);
  await isMade(dying);
  const engine = await dying.crash();
  await call(engine, 'createContainer', wanted, requestId);
  await isTold(engine);
  await assert.rejects(asked(engine, request('web')).answer, { reason: 'NAME_IN_USE' });
});

test('who has changed a container knows it', async (t) => {
  const engine = await startEngine(t);
  const first = asked(engine, request('web'));
  first.goAway();
  await first.answer;
  const { promise, resolve } = Promise.withResolvers<void>();
  engine.world.disturb = (called) => (called === 'execdriver.startContainer' ? promise : undefined);
  const started = call(engine, 'startContainer', { container: 'web' });
  await until(() => engine.containers.records()[0]?.status === 'starting', 'it starts');
  await assert.rejects(asked(engine, request('web')).answer, { reason: 'NAME_IN_USE' });
  resolve();
  await started;
  const next = await engine.crash();
  await assert.rejects(asked(next, request('web')).answer, { reason: 'NAME_IN_USE' });
});

test('after ten minutes a name is in use, whoever was told', async (t) => {
  const engine = await startEngine(t);
  for (const name of ['web', 'db']) {
    const first = asked(engine, request(name));
    first.goAway();
    await first.answer;
  }
  t.mock.timers.enable({ apis: ['Date'], now: Date.now() + 9 * 60_000 });
  assert.equal((await asked(engine, request('web')).answer).outcome, Outcome.OUTCOME_ALREADY);
  t.mock.timers.tick(61_000);
  await assert.rejects(asked(engine, request('db')).answer, { reason: 'NAME_IN_USE' });
});

/** As by the gateway, which tells later whether its client took the answer. */
const passed = (name: string) => ({ ...request(name), reportsAnswer: true });
const report = (engine: TestEngine, id: string, taken: boolean) => call(engine, 'reportAnswer', { id, taken });

test('an answer that is passed on counts when its client took it; who asks meanwhile for the same waits', async (t) => {
  const engine = await startEngine(t);
  const [first, second, third] = [passed('web'), passed('web'), passed('web')];
  const { id } = await asked(engine, first).answer;
  const again = asked(engine, second).answer;
  await report(engine, first.id, false);
  assert.deepEqual([(await again).outcome, (await again).id], [Outcome.OUTCOME_ALREADY, id]);
  const other = asked(engine, third).answer;
  await report(engine, second.id, true);
  await assert.rejects(other, { reason: 'NAME_IN_USE' });
  const next = await engine.crash();
  await assert.rejects(asked(next, passed('web')).answer, { reason: 'NAME_IN_USE' });
});

test('who asks for something else, or for the same by another name, waits for no report', async (t) => {
  const engine = await startEngine(t);
  await asked(engine, passed('web')).answer;
  await assert.rejects(asked(engine, { ...request('web', 'other'), reportsAnswer: true }).answer, {
    reason: 'NAME_IN_USE',
  });
  assert.equal((await asked(engine, passed('db')).answer).outcome, Outcome.OUTCOME_DONE);
});

test('a report that never comes is waited for a while, and then nobody was told', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const engine = await startEngine(t);
  const { id } = await asked(engine, passed('web')).answer;
  const again = asked(engine, passed('web')).answer;
  t.mock.timers.tick(5_000);
  assert.equal((await again).id, id);
});

test('the engine dies before the report: one that comes to the next still counts', async (t) => {
  const dying = await startEngine(t);
  const [first, second] = [passed('web'), passed('db')];
  const { id } = await asked(dying, first).answer;
  await asked(dying, second).answer;
  const engine = await dying.crash();
  await report(engine, second.id, true);
  await assert.rejects(asked(engine, passed('db')).answer, { reason: 'NAME_IN_USE' });
  assert.equal((await asked(engine, passed('web')).answer).id, id);
});

test('who starts a container whose answer is not reported yet knows it', async (t) => {
  const engine = await startEngine(t);
  const first = passed('web');
  await asked(engine, first).answer;
  await call(engine, 'startContainer', { container: 'web' });
  const other = asked(engine, passed('web')).answer;
  await report(engine, first.id, false);
  await assert.rejects(other, { reason: 'NAME_IN_USE' });
});
