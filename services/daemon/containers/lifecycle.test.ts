import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isServiceError } from '../../../kit/errors.ts';
import { newRequestId } from '../../../kit/rpc/call.ts';
import { Outcome } from '../../../proto/gen/longshore/contract/v1/outcome.ts';
import { WaitCondition, type WaitContainerResponse } from '../../../proto/gen/longshore/daemon/v1/container.ts';
import { call, create, createRequest, happened, newId, recordOf, run, startEngine, until } from '../testing/engine.ts';
import { exit, refusal } from '../testing/world.ts';

const signal = new AbortController().signal;

test('create makes a record, a layer and an image holder, and nothing else', async (t) => {
  const engine = await startEngine(t);
  engine.world.calls.length = 0;
  const id = await create(engine, { name: 'web' });
  assert.deepEqual(engine.world.calls, ['graph.acquireImage', 'graphdriver.createLayer']);
  const { container } = await call(engine, 'getContainer', { container: 'web', withSize: false });
  assert.equal(container?.id, id);
  assert.deepEqual(container?.args, ['sh']);
});

test('a start mounts, networks and runs; the exit gives it all back and keeps the code', async (t) => {
  const engine = await startEngine(t);
  const id = await run(engine, { host: { portBindings: { '80/tcp': { bindings: [{ hostPort: '8080' }] } } } });
  assert.equal(recordOf(engine, id)?.status, 'running');
  assert.deepEqual(recordOf(engine, id)?.network.ports, [
    { protocol: 'tcp', containerPort: 80, hostIp: '0.0.0.0', hostPort: 8080 },
  ]);
  exit(engine.world, id, 3);
  await until(() => engine.world.sandboxes.size === 0 && engine.world.layers.get(id)?.size === 0, 'released');
  assert.equal(recordOf(engine, id)?.status, 'exited');
  assert.equal(recordOf(engine, id)?.exitCode, 3);
});

test('a wait for the next exit stands before the start and is told the code; a wait on what is over answers at once', async (t) => {
  const engine = await startEngine(t);
  const id = await create(engine);
  const wait = engine.containers
    .wait({ container: id, condition: WaitCondition.WAIT_CONDITION_NEXT_EXIT }, signal)
    [Symbol.asyncIterator]();
  assert.deepEqual((await wait.next()).value, { event: { $case: 'standing', value: true } });
  await call(engine, 'startContainer', { container: id });
  exit(engine.world, id, 7);
  assert.deepEqual((await wait.next()).value, { event: { $case: 'exit', value: { code: 7, error: '' } } });
  const again: WaitContainerResponse[] = [];
  for await (const said of engine.containers.wait(
    { container: id, condition: WaitCondition.WAIT_CONDITION_NOT_RUNNING },
    signal,
  ))
    again.push(said);
  assert.deepEqual(again.at(-1)?.event, { $case: 'exit', value: { code: 7, error: '' } });
});

test('an exit that comes before its start is recorded is told after it: create, start, die', async (t) => {
  const engine = await startEngine(t);
  engine.world.disturbAnswer = (name, request) => {
    if (name === 'execdriver.startContainer') exit(engine.world, (request as { id: string }).id, 0);
  };
  const id = await run(engine);
  await until(() => recordOf(engine, id)?.status === 'exited', 'exited');
  await until(() => engine.world.sandboxes.size === 0, 'released');
  assert.deepEqual(
    happened(engine).filter((event) => event.startsWith('container')),
    ['container:create', 'container:start', 'container:die'],
  );
});

test('a container made with --rm is gone after its exit, and who waits for that hears the code', async (t) => {
  const engine = await startEngine(t);
  const id = await create(engine, { host: { autoRemove: true }, config: { volumes: ['/data'] } });
  const wait = engine.containers
    .wait({ container: id, condition: WaitCondition.WAIT_CONDITION_REMOVED }, signal)
    [Symbol.asyncIterator]();
  await wait.next();
  await call(engine, 'startContainer', { container: id });
  assert.equal(engine.world.volumes.size, 1);
  exit(engine.world, id, 5);
  assert.deepEqual((await wait.next()).value?.event, { $case: 'exit', value: { code: 5, error: '' } });
  const { world } = engine;
  assert.deepEqual(
    [world.layers.size, world.sandboxes.size, world.volumes.size, world.imageHolders.size, world.processes.size],
    [0, 0, 0, 0, 0],
  );
  assert.equal(happened(engine).at(-1), 'container:destroy');
});

test('a command that is not there: 127, all undone, the container as it was, the cause passed on', async (t) => {
  const engine = await startEngine(t);
  const id = await create(engine);
  engine.world.disturb = (name) => {
    if (name === 'execdriver.startContainer')
      throw refusal('NOT_FOUND', 'COMMAND_NOT_FOUND', 'exec: "nope": not found');
  };
  await assert.rejects(call(engine, 'startContainer', { container: id }), (error) =>
    isServiceError(error, 'COMMAND_NOT_FOUND'),
  );
  const record = recordOf(engine, id);
  assert.deepEqual([record?.status, record?.exitCode, record?.error], ['created', 127, 'exec: "nope": not found']);
  assert.deepEqual([engine.world.sandboxes.size, engine.world.layers.get(id)?.size], [0, 0]);
  engine.world.disturb = () => undefined;
  await call(engine, 'startContainer', { container: id });
  assert.equal(recordOf(engine, id)?.generation, 2);
});

test('a start whose port is taken gives the mount back', async (t) => {
  const engine = await startEngine(t);
  const id = await create(engine);
  engine.world.disturb = (name) => {
    if (name === 'network.createSandbox') throw refusal('ALREADY_EXISTS', 'PORT_TAKEN', 'port 80 is taken');
  };
  await assert.rejects(call(engine, 'startContainer', { container: id }), /port 80 is taken/);
  assert.equal(engine.world.layers.get(id)?.size, 0);
});

test('stop sends the container’s own signal, then SIGKILL; a second stop and a second start are ALREADY', async (t) => {
  const engine = await startEngine(t);
  const signals: number[] = [];
  engine.world.onSignal = (id, number) => {
    signals.push(number);
    if (number === 9) exit(engine.world, id, 137);
  };
  const id = await run(engine);
  assert.equal((await call(engine, 'startContainer', { container: id })).outcome, Outcome.OUTCOME_ALREADY);
  const stopped = await call(engine, 'stopContainer', { container: id, signal: '', timeoutS: 0 });
  assert.equal(stopped.outcome, Outcome.OUTCOME_DONE);
  assert.deepEqual(signals, [3, 9]);
  assert.equal(recordOf(engine, id)?.exitCode, 137);
  assert.equal(engine.world.sandboxes.size, 0);
  assert.equal(
    (await call(engine, 'stopContainer', { container: id, signal: '', timeoutS: 0 })).outcome,
    Outcome.OUTCOME_ALREADY,
  );
});

test('a kill joins a stop that waits', async (t) => {
  const engine = await startEngine(t);
  engine.world.onSignal = (id, number) => {
    if (number === 9) exit(engine.world, id, 137);
  };
  const id = await run(engine);
  const stopping = call(engine, 'stopContainer', { container: id, signal: '', timeoutS: -1 });
  await until(() => recordOf(engine, id)?.status === 'stopping', 'stopping');
  await call(engine, 'killContainer', { container: id, signal: 'KILL' });
  assert.equal((await stopping).outcome, Outcome.OUTCOME_DONE);
  await assert.rejects(call(engine, 'killContainer', { container: id, signal: '' }), /is not running/);
});

test('pause and unpause', async (t) => {
  const engine = await startEngine(t);
  const id = await run(engine);
  await call(engine, 'pauseContainer', { container: id });
  assert.equal(recordOf(engine, id)?.status, 'paused');
  await assert.rejects(call(engine, 'pauseContainer', { container: id }), /is already paused/);
  await assert.rejects(call(engine, 'startContainer', { container: id }), /cannot start a paused container/);
  await call(engine, 'unpauseContainer', { container: id });
  await assert.rejects(call(engine, 'unpauseContainer', { container: id }), /is not paused/);
  await call(engine, 'pauseContainer', { container: id });
  await call(engine, 'stopContainer', { container: id, signal: '' });
  assert.equal(engine.world.calls.filter((name) => name === 'execdriver.resumeContainer').length, 2);
});

test('restart ends and starts: one generation more, and the policy’s count from nothing', async (t) => {
  const engine = await startEngine(t);
  const id = await run(engine, { host: { autoRemove: true } });
  await call(engine, 'restartContainer', { container: id, signal: '' });
  const record = recordOf(engine, id);
  assert.deepEqual([record?.status, record?.generation, record?.restartCount], ['running', 2, 0]);
});

test('remove: a running one needs force, what is gone is ABSENT, and a link to it goes with it', async (t) => {
  const engine = await startEngine(t);
  const id = await run(engine, { name: 'db' });
  await create(engine, { name: 'web', host: { links: ['db:store'] } });
  const request = { container: 'db', force: false, removeVolumes: false };
  await assert.rejects(call(engine, 'removeContainer', request), /container is running: stop the container/);
  assert.equal((await call(engine, 'removeContainer', { ...request, force: true })).outcome, Outcome.OUTCOME_DONE);
  assert.equal((await call(engine, 'removeContainer', request)).outcome, Outcome.OUTCOME_ABSENT);
  assert.deepEqual(engine.engine.links.refPaths(id), []);
  assert.deepEqual(
    [engine.world.processes.size, engine.world.layers.has(id), engine.world.imageHolders.has(id)],
    [0, false, false],
  );
});

test('force does not wait for a stop that waits', async (t) => {
  const engine = await startEngine(t);
  engine.world.onSignal = (id, number) => {
    if (number === 9) exit(engine.world, id, 137);
  };
  const id = await run(engine);
  const stopping = call(engine, 'stopContainer', { container: id, signal: '', timeoutS: -1 });
  await until(() => recordOf(engine, id)?.status === 'stopping', 'stopping');
  await call(engine, 'removeContainer', { container: id, force: true, removeVolumes: false });
  await stopping;
  assert.equal(recordOf(engine, id), undefined);
});

test('a removal that fails leaves a dead container, and the next one goes on', async (t) => {
  const engine = await startEngine(t);
  const id = await create(engine);
  engine.world.disturb = (name) => {
    if (name === 'graphdriver.removeLayer') throw refusal('INTERNAL', 'DISK', 'the disk is full');
  };
  await assert.rejects(
    call(engine, 'removeContainer', { container: id, force: false, removeVolumes: false }),
    /disk is full/,
  );
  assert.equal(recordOf(engine, id)?.status, 'dead');
  engine.world.disturb = () => undefined;
  await assert.rejects(call(engine, 'startContainer', { container: id }), /marked for removal/);
  await call(engine, 'removeContainer', { container: id, force: false, removeVolumes: false });
  assert.equal(recordOf(engine, id), undefined);
});

test('names: taken ones name their holder, bad ones are refused, empty ones are made up, renames move them', async (t) => {
  const engine = await startEngine(t);
  const id = await create(engine, { name: '/web' });
  await assert.rejects(create(engine, { name: 'web' }), {
    message: `Conflict. The container name "/web" is already in use by container "${id}". You have to remove (or rename) that container to be able to reuse that name.`,
  });
  await assert.rejects(create(engine, { name: 'a b' }), /Invalid container name \(a b\), only \[a-zA-Z0-9\]/);
  const other = await create(engine);
  assert.match(recordOf(engine, other)?.name ?? '', /^[a-z]+_[a-z]+\d?$/);
  await assert.rejects(call(engine, 'renameContainer', { container: other, name: 'web' }), (error) =>
    isServiceError(error, 'NAME_IN_USE'),
  );
  await call(engine, 'renameContainer', { container: 'web', name: 'site' });
  assert.equal((await call(engine, 'getContainer', { container: '/site', withSize: false })).container?.id, id);
  await assert.rejects(call(engine, 'getContainer', { container: 'web', withSize: false }), {
    message: 'No such container: web',
  });
  await create(engine, { name: 'web' });
});

test('a create that fails gives everything back, its name too', async (t) => {
  const engine = await startEngine(t);
  engine.world.disturb = (name) => {
    if (name === 'graphdriver.createLayer') throw refusal('RESOURCE_EXHAUSTED', 'NO_SPACE', 'no space left');
  };
  await assert.rejects(create(engine, { name: 'web', config: { volumes: ['/data'] } }), /no space left/);
  assert.deepEqual([engine.world.imageHolders.size, engine.world.volumes.size, engine.world.layers.size], [0, 0, 0]);
  engine.world.disturb = () => undefined;
  await create(engine, { name: 'web' });
});

test('the same request id gives the same answer; the same id from another request is refused', async (t) => {
  const engine = await startEngine(t);
  const id = newId();
  const requestId = newRequestId();
  const first = await call(engine, 'createContainer', createRequest({ id }), requestId);
  assert.deepEqual(await call(engine, 'createContainer', createRequest({ id }), requestId), first);
  assert.equal((await call(engine, 'createContainer', createRequest({ id }))).outcome, Outcome.OUTCOME_ALREADY);
  await assert.rejects(call(engine, 'createContainer', createRequest({ id, name: 'other' })), (error) =>
    isServiceError(error, 'CONTAINER_EXISTS'),
  );
  const start = newRequestId();
  await call(engine, 'startContainer', { container: id }, start);
  const crashed = await engine.crash();
  assert.equal((await call(crashed, 'startContainer', { container: id }, start)).outcome, Outcome.OUTCOME_DONE);
  assert.equal(recordOf(crashed, id)?.generation, 1);
});

test('a signal is told before the exit that it causes, and a restart as kill, die, stop, start, restart', async (t) => {
  const engine = await startEngine(t);
  const id = await run(engine);
  const answered = Promise.withResolvers<void>();
  engine.world.disturbAnswer = (called) => (called === 'execdriver.signalContainer' ? answered.promise : undefined);
  const restarting = call(engine, 'restartContainer', { container: id, signal: '' });
  await until(() => engine.world.processes.get(id)?.exit !== undefined, 'ended');
  answered.resolve();
  await restarting;
  const actions = happened(engine)
    .filter((event) => event.startsWith('container:'))
    .map((event) => event.slice('container:'.length));
  assert.deepEqual(actions, ['create', 'start', 'kill', 'die', 'stop', 'start', 'restart']);
});
