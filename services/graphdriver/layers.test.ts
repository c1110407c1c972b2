import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { createFakeLinux } from '../../kit/linux/fake.ts';
import { silentLogger } from '../../kit/log.ts';
import { openRecords } from '../../kit/records.ts';
import { layerId } from './driver.suite.ts';
import { migrations, openLayerRecords } from './layer-records.ts';
import { createLayers } from './layers.ts';
import { openVfs } from './vfs.ts';
import { createWorkerPool } from './work/worker-pool.ts';

/** Layers on a disk that is done with a sync when it is told. */
function slowDisk(t: TestContext) {
  const root = mkdtempSync(join(tmpdir(), 'longshore-layers-'));
  const pool = createWorkerPool({ threads: 1 });
  const kept = openRecords(':memory:', { migrations });
  const sync = Promise.withResolvers<void>();
  const records = { ...kept, synced: () => sync.promise };
  const driver = openVfs(root, { mounts: createFakeLinux().mounts, pool });
  const layerRecords = openLayerRecords(records, driver.name);
  const log = silentLogger();
  const layers = createLayers({ driver, layerRecords, records, pool, readers: pool, bootId: 'boot', log });
  t.after(async () => {
    layers.close();
    await pool.stop();
    kept.close();
    rmSync(root, { recursive: true });
  });
  return { layers, records, sync };
}

test('a layer is made without waiting for the disk, and shown only when it is there', async (t) => {
  const { layers, records, sync } = slowDisk(t);
  const id = layerId('box');
  const wanted = { id, parent: undefined, labels: {}, options: {} };
  const made = await layers.create(wanted, (outcome, record) => {
    if (record !== undefined) records.transaction(record);
    return outcome;
  });
  assert.equal(made, 'done');
  let isShown = false;
  const shown = layers.mount(id, 'container', false, ({ outcome }, record) => {
    isShown = true;
    if (record !== undefined) records.transaction(record);
    return outcome;
  });
  for (let turns = 0; turns < 5; turns += 1) await new Promise(setImmediate);
  assert.equal(isShown, false);
  sync.resolve();
  assert.equal(await shown, 'done');
});
