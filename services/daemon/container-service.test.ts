import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withCall } from '../../kit/rpc/call.ts';
import { containerServices } from './services.ts';
import { contextOf, createRequest, newId, startEngine } from './testing/engine.ts';

test('what changes containers waits until they are restored; who only looks does not', async (t) => {
  const { engine, containers, events, world } = await startEngine(t);
  const restored = Promise.withResolvers<void>();
  const services = containerServices(containers, events, engine, restored.promise);
  const context = contextOf(new AbortController().signal);
  const id = newId();
  const request = createRequest({ id });
  const created = withCall({}, async () => services.containers.createContainer(request, context));
  assert.deepEqual(
    await Array.fromAsync(
      services.containers.listContainers({ all: true, withSize: false, limit: 0, filter: undefined }, context),
    ),
    [],
  );
  assert.equal(world.layers.has(id), false);
  restored.resolve();
  await created;
  assert.equal(world.layers.has(id), true);
});
