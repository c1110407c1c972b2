import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { newRequestId } from '../../../kit/rpc/call.ts';
import {
  call,
  create,
  createRequest,
  newId,
  recordOf,
  run,
  startEngine,
  type TestEngine,
  until,
} from '../testing/engine.ts';
import { exit } from '../testing/world.ts';
import { isAlive } from './record.ts';

/** A verb with what goes before it, and what is true once it has been repeated under its request id. */
interface Case {
  prepare(engine: TestEngine): Promise<string>;
  verb(engine: TestEngine, id: string, requestId: string): Promise<unknown>;
  finally(engine: TestEngine, id: string): boolean;
}

const withVolume = { config: { volumes: ['/data'] } };

const cases: { [verb: string]: Case } = {
  create: {
    prepare: async () => newId(),
    verb: (engine, id, requestId) =>
      call(engine, 'createContainer', createRequest({ id, name: 'web', ...withVolume }), requestId),
    finally: (engine, id) => recordOf(engine, id)?.name === 'web',
  },
  start: {
    prepare: (engine) => create(engine, withVolume),
    verb: (engine, id, requestId) => call(engine, 'startContainer', { container: id }, requestId),
    finally: (engine, id) => recordOf(engine, id)?.status === 'running',
  },
  stop: {
    prepare: (engine) => run(engine, { ...withVolume, host: { restartPolicy: { name: 'unless-stopped' } } }),
    verb: (engine, id, requestId) => call(engine, 'stopContainer', { container: id, signal: '' }, requestId),
    finally: (engine, id) => recordOf(engine, id)?.status === 'exited',
  },
  kill: {
    prepare: (engine) => run(engine, withVolume),
    verb: async (engine, id, requestId) => {
      const isThere = recordOf(engine, id)?.status === 'running';
      return isThere && call(engine, 'killContainer', { container: id, signal: '' }, requestId);
    },
    finally: (engine, id) => recordOf(engine, id)?.status === 'exited',
  },
  restart: {
    prepare: (engine) => run(engine, withVolume),
    verb: (engine, id, requestId) => call(engine, 'restartContainer', { container: id, signal: '' }, requestId),
    finally: (engine, id) => recordOf(engine, id)?.status === 'running',
  },
  remove: {
    prepare: (engine) => run(engine, withVolume),
    verb: (engine, id, requestId) =>
      call(engine, 'removeContainer', { container: id, force: true, removeVolumes: true }, requestId),
    finally: (engine, id) => recordOf(engine, id) === undefined && engine.world.volumes.size === 0,
  },
};

for (const [name, verb] of Object.entries(cases)) {
  test(`${name}: the engine dies at each of its calls, before it and after it, and the next one ends well`, async (t) => {
    for (let at = 0; ; at += 1) {
      const isOver = await dieAt(t, verb, at);
      if (isOver) break;
    }
  });
}

/** Kills the engine at the n-th moment of a verb. True: the verb has fewer. */
async function dieAt(t: TestContext, { prepare, verb, finally: wanted }: Case, at: number): Promise<boolean> {
  const engine = await startEngine(t);
  const id = await prepare(engine);
  const requestId = newRequestId();
  const died = Promise.withResolvers<'died'>();
  let moment = 0;
  const tick = () => {
    if (moment++ !== at) return undefined;
    died.resolve('died');
    return new Promise<never>(() => undefined);
  };
  engine.world.disturb = (called) => (called.includes('atch') ? undefined : tick());
  engine.world.disturbAnswer = () => tick();
  const outcome = await Promise.race([verb(engine, id, requestId).then(() => 'done' as const), died.promise]);

  const next = await engine.crash((world) => {
    world.disturb = () => undefined;
    world.disturbAnswer = () => undefined;
  });
  holdsNothingElse(next);
  await verb.call(undefined, next, id, requestId);
  await until(() => wanted(next, id), `after a death at moment ${at}`);
  await until(() => isTidy(next), 'nothing is left over');
  return outcome === 'done';
}

/** What the services hold is what the records say. */
function isTidy({ world, containers }: TestEngine): boolean {
  const records = containers.records();
  const ids = new Set(records.map(({ id }) => id));
  const alive = new Set(records.filter(isAlive).map(({ id }) => id));
  const same = (held: Iterable<string>, wanted: Set<string>) => {
    const set = new Set(held);
    return set.size === wanted.size && [...set].every((id) => wanted.has(id));
  };
  const mounted = [...world.layers].filter(([, holders]) => holders.size > 0).map(([id]) => id);
  const usedVolumes = [...world.volumes.values()];
  return (
    same(world.layers.keys(), ids) &&
    same(world.imageHolders.keys(), ids) &&
    same(world.sandboxes.keys(), alive) &&
    same(mounted, alive) &&
    [...world.processes.keys()].every((id) => ids.has(id)) &&
    usedVolumes.every(({ mounted: by }) => [...by].every((id) => alive.has(id))) &&
    usedVolumes.every(({ holders }) => holders.size > 0 && [...holders].every((id) => ids.has(id)))
  );
}

function holdsNothingElse(engine: TestEngine): void {
  const { world, containers } = engine;
  const ids = new Set(containers.records().map(({ id }) => id));
  for (const id of [...world.layers.keys(), ...world.imageHolders.keys(), ...world.processes.keys()]) {
    assert.ok(ids.has(id), 'what has no record is swept');
  }
}

test('a process that ends between two engines is settled once, with one die event', async (t) => {
  const engine = await startEngine(t);
  const id = await run(engine);
  const second = await engine.crash((world) => exit(world, id, 9));
  const third = await second.crash();
  const dies = [...third.events.kept(0)].filter(({ event }) => event.action === 'die');
  assert.equal(dies.length, 1);
  assert.equal(recordOf(third, id)?.exitCode, 9);
});
