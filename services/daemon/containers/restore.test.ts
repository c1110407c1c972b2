import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ContainerProcess } from '../../../proto/gen/longshore/execdriver/v1/process.ts';
import { call, create, newId, recordOf, run, startEngine, type TestEngine, until } from '../testing/engine.ts';
import { busybox } from '../testing/images.ts';
import { exit, type World } from '../testing/world.ts';
import { lifecycleOf } from './containers.ts';
import { type ContainerRecord, type Status, statuses } from './record.ts';
import { type Observation, observe, restoreTable } from './restore-table.ts';

/** What a container is after the next start of the engine, by how it was recorded and what the host shows of it. */
const expected: { [status in Status]: { [seen in Observation]: string } } = {
  created: { lives: 'running', 'exit fact': 'exited 7', neither: 'created', 'boot changed': 'created' },
  starting: { lives: 'running', 'exit fact': 'exited 7', neither: 'created', 'boot changed': 'created' },
  running: { lives: 'running', 'exit fact': 'exited 7', neither: 'exited 255', 'boot changed': 'exited 255' },
  paused: { lives: 'paused', 'exit fact': 'exited 7', neither: 'exited 255', 'boot changed': 'exited 255' },
  stopping: { lives: 'exited 143', 'exit fact': 'exited 7', neither: 'exited 255', 'boot changed': 'exited 255' },
  restarting: { lives: 'running', 'exit fact': 'exited 7', neither: 'running', 'boot changed': 'running' },
  exited: { lives: 'running', 'exit fact': 'exited 7', neither: 'exited 1', 'boot changed': 'exited 1' },
  removing: { lives: 'gone', 'exit fact': 'gone', neither: 'gone', 'boot changed': 'gone' },
  dead: { lives: 'gone', 'exit fact': 'gone', neither: 'gone', 'boot changed': 'gone' },
};

const neverRan = new Set<Status>(['created', 'starting']);

for (const status of statuses) {
  for (const seen of Object.keys(restoreTable[status]) as Observation[]) {
    test(`${status} and ${seen}: ${expected[status][seen]} (${restoreTable[status][seen]})`, async (t) => {
      const engine = await startEngine(t);
      const id = await create(engine);
      record(engine.containers, id, status);
      const next = await engine.crash((world) => show(world, id, status, seen));
      const now = recordOf(next, id);
      const told = now?.status === 'exited' ? `exited ${now.exitCode}` : (now?.status ?? 'gone');
      assert.equal(told, expected[status][seen]);
      const isRunning = told === 'running' || told === 'paused';
      assert.equal(next.world.sandboxes.has(id), isRunning, 'a sandbox for what runs, and for nothing else');
      assert.equal(
        next.world.layers.get(id)?.has(id) ?? false,
        isRunning,
        'a mount for what runs, and for nothing else',
      );
    });
  }
}

/** Puts a container into a state as if its life had led there. */
function record(containers: Parameters<typeof lifecycleOf>[0], id: string, status: Status): void {
  const { repository } = lifecycleOf(containers);
  const made = repository.get(id);
  assert.ok(made);
  const ran: Partial<ContainerRecord> = neverRan.has(status)
    ? {}
    : { generation: 1, bootId: 'boot-1', startedAtNs: 1n, desired: 'running', exitCode: status === 'exited' ? 1 : 0 };
  const pending =
    status === 'stopping' ? { verb: 'stop' as const, requestId: 'r', signal: 15, timeoutS: 5 } : undefined;
  repository.apply({ put: [{ ...made, ...ran, status, pending }] });
}

function show(world: World, id: string, status: Status, seen: Observation): void {
  const isNewer = neverRan.has(status) || status === 'restarting' || status === 'exited';
  const generation = (neverRan.has(status) ? 0 : 1) + (isNewer ? 1 : 0);
  const process = ContainerProcess.create({
    id,
    generation,
    pid: 77,
    state: status === 'paused' ? 3 : 2,
    startedAtNs: 1n,
  });
  if (seen === 'boot changed') world.bootId = 'boot-2';
  if (seen === 'lives' || seen === 'exit fact') {
    world.processes.set(id, process);
    world.layers.get(id)?.add(id);
    world.sandboxes.set(id, sandbox(id));
  }
  if (seen === 'exit fact') exit(world, id, 7);
}

const sandbox = (id: string) => ({
  id,
  mode: 1 as const,
  namespacePath: '/netns/x',
  endpoints: [],
  ports: [],
  resolvConfPath: '',
  hostsPath: '',
  hostnamePath: '',
});

test('an exit that comes while the engine takes stock is not overwritten by what it saw before', async (t) => {
  const engine = await startEngine(t);
  const id = await create(engine);
  record(engine.containers, id, 'stopping');
  const next = await engine.crash((world) => {
    show(world, id, 'stopping', 'lives');
    world.listed = async () => {
      exit(world, id, 9);
      // The watch tells it before the list has ended.
      for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
    };
  });
  await until(() => recordOf(next, id)?.status === 'exited', 'the exit is recorded');
  assert.deepEqual([recordOf(next, id)?.exitCode, recordOf(next, id)?.pending], [9, undefined]);
});

test('the AppArmor profile of a start that a crash has cut off is known to the next engine', async (t) => {
  const profileOf = async (engine: TestEngine) =>
    (await call(engine, 'getContainer', { container: 'web', withSize: false })).container?.apparmorProfile;
  const dying = await startEngine(t);
  await create(dying, { name: 'web' });
  assert.equal(await profileOf(dying), '');
  // The process is there, and the answer is lost.
  dying.world.disturbAnswer = (name) => (name === 'execdriver.startContainer' ? new Promise(() => {}) : undefined);
  call(dying, 'startContainer', { container: 'web' });
  await until(() => dying.world.processes.size === 1, 'it runs');
  const engine = await dying.crash((world) => {
    world.disturbAnswer = () => undefined;
  });
  assert.equal(await profileOf(engine), 'docker-default');
});

test('what a crash has left without a record is swept: process, sandbox, layer, image holder, volume, name', async (t) => {
  const engine = await startEngine(t);
  const stray = newId();
  const next = await engine.crash((world) => {
    world.layers.set(stray, new Set([stray]));
    world.imageHolders.set(stray, 'sha256:x');
    world.sandboxes.set(stray, sandbox(stray));
    world.volumes.set('data', { name: 'data', anonymous: false, holders: new Set([stray]), mounted: new Set([stray]) });
    world.processes.set(stray, ContainerProcess.create({ id: stray, generation: 1, state: 2 }));
  });
  const { world } = next;
  assert.deepEqual(
    [world.layers.size, world.imageHolders.size, world.sandboxes.size, world.processes.size],
    [0, 0, 0, 0],
  );
  assert.deepEqual([world.volumes.get('data')?.holders.size, world.volumes.get('data')?.mounted.size], [0, 0]);
});

test('a layer that a power cut has taken before its first use is made again; one that was used is not', async (t) => {
  const engine = await startEngine(t);
  const fresh = await create(engine);
  const used = await run(engine);
  const next = await engine.crash((world) => {
    world.layers.clear();
    exit(world, used, 0);
  });
  assert.deepEqual([...next.world.layers.keys()], [fresh]);
  assert.equal(next.world.imageHolders.get(fresh), busybox.id);
  await call(next, 'startContainer', { container: fresh });
  assert.equal(recordOf(next, fresh)?.status, 'running');
});

test('a container made with --rm that ended while no engine ran is removed', async (t) => {
  const engine = await startEngine(t);
  const id = await run(engine, { host: { autoRemove: true } });
  const next = await engine.crash((world) => exit(world, id, 0));
  await until(() => recordOf(next, id) === undefined && next.world.layers.size === 0, 'removed');
});

test('restart policies hold across an engine’s death, with the true exit code', async (t) => {
  const policies = { always: 0, 'unless-stopped': 0, 'on-failure': 1 };
  for (const [name, code] of Object.entries(policies)) {
    const engine = await startEngine(t);
    const id = await run(engine, { host: { restartPolicy: { name } } });
    const next = await engine.crash((world) => exit(world, id, code));
    await until(() => recordOf(next, id)?.status === 'running', `${name} runs again`);
    assert.equal(recordOf(next, id)?.generation, 2);
  }
});

test('on-failure lets a container rest that ended well, and a reboot counts as a failure', async (t) => {
  const engine = await startEngine(t);
  const well = await run(engine, { host: { restartPolicy: { name: 'on-failure' } } });
  const lost = await run(engine, { host: { restartPolicy: { name: 'on-failure' } } });
  const next = await engine.crash((world) => {
    exit(world, well, 0);
    world.processes.delete(lost);
    world.bootId = 'boot-2';
  });
  await until(() => recordOf(next, lost)?.status === 'running', 'the lost one runs again');
  assert.equal(recordOf(next, well)?.status, 'exited');
});

test('what a user has stopped stays so under unless-stopped, and comes back under always', async (t) => {
  const engine = await startEngine(t);
  const ids: string[] = [];
  for (const name of ['unless-stopped', 'always']) {
    const id = await run(engine, { host: { restartPolicy: { name } } });
    await engine.containers.stop({ container: id, signal: '' }, () => (save) => {
      engine.engine.records.transaction(save);
      return { outcome: 1 };
    });
    ids.push(id);
  }
  const next = await engine.crash();
  await until(() => recordOf(next, ids[1] ?? '')?.status === 'running', 'always comes back');
  assert.equal(recordOf(next, ids[0] ?? '')?.status, 'exited');
});

test('an exit that is recorded is not recorded again, and a code that is known counts after a reboot', () => {
  const process = ContainerProcess.create({ id: 'x', generation: 2, state: 4, exit: { code: 3 } });
  const at = (status: Status, bootId: string) =>
    observe({ status, generation: 2, bootId } as ContainerRecord, process, 'now').seen;
  assert.equal(at('exited', 'now'), 'neither');
  assert.equal(at('running', 'before'), 'exit fact');
  const unknown = { ...process, exit: { code: 255, oomKilled: false, timeNs: 0n, unknown: true } };
  assert.equal(
    observe({ status: 'running', generation: 2, bootId: 'before' } as ContainerRecord, unknown, 'now').seen,
    'boot changed',
  );
  assert.equal(
    observe({ status: 'running', generation: 2, bootId: 'now' } as ContainerRecord, unknown, 'now').seen,
    'exit fact',
  );
});

test('200 containers are restored within a second', async (t) => {
  const engine = await startEngine(t);
  for (let index = 0; index < 200; index += 1) await run(engine);
  const began = Date.now();
  const next = await engine.crash();
  assert.equal(next.containers.records().filter(({ status }) => status === 'running').length, 200);
  assert.ok(Date.now() - began < 1000, `it took ${Date.now() - began} ms`);
});

test('a name whose container never came to be is free again', async (t) => {
  const engine = await startEngine(t);
  engine.engine.links.set('/web', newId());
  const next = await engine.crash();
  await create(next, { name: 'web' });
});
