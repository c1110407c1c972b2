import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { startReal } from '../real.ts';
import { startLayers } from './layers.ts';
import { graphSuite } from './suite.ts';

if (process.getuid?.() === 0) {
  const layers = await startLayers();
  const service = await startReal('graph');
  graphSuite({ endpoint: service.endpoint, isLocal: true, restart: service.restart, ...layers.fixtures });
  test('with the images their layers have gone from graphdriver', () => {
    assert.deepEqual(layers.layers(), []);
  });
  after(async () => {
    await service.stop();
    await layers.stop();
  });
} else {
  test('our own graph service', { skip: 'needs root' }, () => undefined);
}
