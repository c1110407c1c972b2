import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createFreshLayers } from './fresh-layers.ts';

const layer = 'a'.repeat(64);

function disk() {
  const syncs: PromiseWithResolvers<void>[] = [];
  return {
    syncs,
    synced() {
      const sync = Promise.withResolvers<void>();
      syncs.push(sync);
      return sync.promise;
    },
  };
}

test('a layer lasts when the sync that began with it is through, and asks for no other', async () => {
  const { syncs, synced } = disk();
  const fresh = createFreshLayers({ synced });
  fresh.made(layer);
  let isLasting = false;
  const lasting = fresh.lasting(layer).then(() => {
    isLasting = true;
  });
  await new Promise(setImmediate);
  assert.equal(isLasting, false);
  syncs[0]?.resolve();
  await lasting;
  await fresh.lasting(layer);
  await fresh.lasting('b'.repeat(64));
  assert.equal(syncs.length, 1);
});

test('a disk that fails is told to who wants to use the layer, each time until it has gone well', async () => {
  const { syncs, synced } = disk();
  const fresh = createFreshLayers({ synced });
  fresh.made(layer);
  syncs[0]?.reject(new Error('input/output error'));
  const first = fresh.lasting(layer);
  await new Promise(setImmediate);
  syncs[1]?.reject(new Error('still'));
  await assert.rejects(first, /still/);
  const second = fresh.lasting(layer);
  await new Promise(setImmediate);
  syncs[2]?.resolve();
  await second;
  await fresh.lasting(layer);
  assert.equal(syncs.length, 3);
});
