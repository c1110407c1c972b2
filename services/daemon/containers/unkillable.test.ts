import assert from 'node:assert/strict';
import { test } from 'node:test';
import { call, recordOf, run, startEngine } from '../testing/engine.ts';

test('rm -f of a container whose process cannot die says which process it is, and can be asked again', async (t) => {
  const engine = await startEngine(t);
  const id = await run(engine, { name: 'web' });
  const other = await run(engine, { name: 'other' });
  const { onSignal } = engine.world;
  const told = Promise.withResolvers<void>();
  engine.world.onSignal = (signalled, signal) => {
    if (signalled !== id) return onSignal(signalled, signal);
    told.resolve();
  };
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const remove = { container: id, force: true, removeVolumes: false };
  const removed = call(engine, 'removeContainer', remove);
  const refused = assert.rejects(removed, (error: Error) => {
    assert.match(error.message, new RegExp(`its process ${recordOf(engine, id)?.pid} is blocked in the kernel`));
    return true;
  });
  await told.promise;
  // Nobody waits with it.
  await call(engine, 'removeContainer', { ...remove, container: other });
  await call(engine, 'getContainer', { container: id, withSize: false });
  await new Promise(setImmediate);
  t.mock.timers.tick(10_000);
  await refused;
  t.mock.timers.reset();
  assert.equal(recordOf(engine, other), undefined);

  engine.world.onSignal = onSignal;
  await call(engine, 'removeContainer', remove);
  assert.equal(recordOf(engine, id), undefined);
});
