import assert from 'node:assert/strict';
import { test } from 'node:test';
import { StreamPurpose } from '../../../proto/gen/longshore/daemon/v1/container.ts';
import { Exec, ExecEvent } from '../../../proto/gen/longshore/execdriver/v1/exec.ts';
import { call, create, run, startEngine, type TestEngine, until } from '../testing/engine.ts';
import type { World } from '../testing/world.ts';

function tell(world: World, event: ExecEvent, containerId: string, exitCode?: number): void {
  const exec = Exec.fromPartial({ id: 'e'.repeat(64), containerId, spec: { args: ['sh', '-c', 'date'] } });
  world.execEvents.append({ event, exec: { ...exec, exitCode } });
}

const told = (engine: TestEngine) =>
  [...engine.events.kept(0)].map(({ event }) => event).filter(({ action }) => action.startsWith('exec_'));

test('an exec is told in Docker’s words: its making, its start and its end with the code', async (t) => {
  const engine = await startEngine(t);
  const id = await run(engine, { name: 'web' });
  tell(engine.world, ExecEvent.EXEC_EVENT_CREATED, id);
  tell(engine.world, ExecEvent.EXEC_EVENT_STARTED, id);
  tell(engine.world, ExecEvent.EXEC_EVENT_EXITED, id, 3);
  await until(() => told(engine).length === 3, 'told');
  assert.deepEqual(
    told(engine).map(({ action }) => action),
    ['exec_create: sh -c date', 'exec_start: sh -c date', 'exec_die'],
  );
  const [made, , ended] = told(engine);
  assert.deepEqual([made?.actorId, made?.attributes['name'], made?.attributes['execID']], [id, 'web', 'e'.repeat(64)]);
  assert.deepEqual([ended?.attributes['exitCode'], ended?.attributes['image']], ['3', 'busybox']);
});

test('an exec that ended while no engine ran is told by the next one, once', async (t) => {
  const engine = await startEngine(t);
  const id = await run(engine);
  tell(engine.world, ExecEvent.EXEC_EVENT_STARTED, id);
  await until(() => told(engine).length === 1, 'told');
  const next = await engine.crash((world) => tell(world, ExecEvent.EXEC_EVENT_EXITED, id, 0));
  await until(() => told(next).length === 2, 'told');
  const third = await next.crash();
  tell(third.world, ExecEvent.EXEC_EVENT_CREATED, id);
  await until(() => told(third).length >= 3, 'told');
  assert.deepEqual(
    told(third).map(({ action }) => action.split(':')[0]),
    ['exec_start', 'exec_die', 'exec_create'],
  );
});

test('only a running container that is not paused can have an exec', async (t) => {
  const engine = await startEngine(t);
  const open = (container: string) =>
    call(engine, 'openStream', { container, purpose: StreamPurpose.STREAM_PURPOSE_EXEC });
  const resting = await create(engine);
  await assert.rejects(open(resting), { message: `container ${resting} is not running` });
  const id = await run(engine, { name: 'web' });
  assert.deepEqual(await open('web').then(({ containerId, name }) => [containerId, name]), [id, 'web']);
  await call(engine, 'pauseContainer', { container: id });
  await assert.rejects(open(id), { message: `Container ${id} is paused, unpause the container before exec` });
});
