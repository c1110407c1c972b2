import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { call, recordOf, run, startEngine, until } from '../testing/engine.ts';

/** `web` runs and knows `db` as a. */
async function linked(t: TestContext) {
  const engine = await startEngine(t);
  const db = await run(engine, { name: 'db' });
  const web = await run(engine, { name: 'web', host: { links: ['db:a'] } });
  return { engine, db, web };
}

test('one that runs again is told to those that know it by a link, and to nobody else', async (t) => {
  const { engine, db, web } = await linked(t);
  await run(engine, { name: 'stranger' });
  await call(engine, 'stopContainer', { container: 'db', signal: 'KILL', timeoutS: 1 });
  engine.world.extraHosts.set(web, []);
  await call(engine, 'startContainer', { container: 'db' });
  const address = recordOf(engine, db)?.network.networks[0]?.ipv4Address;
  assert.ok(address);
  await until(() => engine.world.extraHosts.get(web)?.[0]?.address === address, 'the hosts of web');
  assert.equal(engine.world.calls.filter((name) => name === 'network.updateSandbox').length, 1);
});

test('a start that the engine did not live to tell is told when it is back', async (t) => {
  const { engine: dying, web } = await linked(t);
  dying.world.extraHosts.set(web, []);
  const engine = await dying.crash();
  assert.deepEqual(
    engine.world.extraHosts.get(web)?.map(({ names }) => names[0]),
    ['a'],
  );
});
