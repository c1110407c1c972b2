import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withCall } from '../../../kit/rpc/call.ts';
import { Outcome } from '../../../proto/gen/longshore/contract/v1/outcome.ts';
import {
  type CreateContainerRequest,
  CreateContainerResponse,
} from '../../../proto/gen/longshore/daemon/v1/container.ts';
import { call, contextOf, createRequest, newId, recordOf, startEngine, type TestEngine } from '../testing/engine.ts';
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
