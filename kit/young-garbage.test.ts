import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { collectionInterval, passedOn } from './young-garbage.ts';

const message = 64 * 1024;

suite('young garbage', () => {
  test('the buffers of a long stream are given back while it runs, without going through the whole heap', async () => {
    const { arrayBuffers: before } = process.memoryUsage();
    let most = 0;
    for (let sent = 0; sent < 64 * collectionInterval; sent += message) {
      for (let copies = 0; copies < 4; copies += 1) Buffer.allocUnsafeSlow(message);
      passedOn(message);
      most = Math.max(most, process.memoryUsage().arrayBuffers - before);
      await undefined;
    }
    // Left alone, V8 lets it come to some 90 MB.
    assert.ok(most < 32 * collectionInterval, `${most} bytes`);
  });
});
