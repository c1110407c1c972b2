import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ownCapabilities, parseCapabilities } from './capabilities.ts';

test('capability sets are parsed by their bits', () => {
  const status =
    'Name:\tx\nCapInh:\t0000000000000000\nCapPrm:\t0000000000000001\nCapEff:\t0000010000000001\nCapBnd:\t0000000001000000\nCapAmb:\t0000000000000000\n';
  const sets = parseCapabilities(status);
  assert.deepEqual([...sets.permitted], ['CAP_CHOWN']);
  assert.deepEqual([...sets.effective], ['CAP_CHOWN', 'CAP_CHECKPOINT_RESTORE']);
  assert.deepEqual([...sets.bounding], ['CAP_SYS_RESOURCE']);
  assert.equal(sets.ambient.size, 0);
});

test('what this process holds is within what it may hold', () => {
  const { effective, permitted } = ownCapabilities();
  for (const capability of effective) assert.ok(permitted.has(capability), capability);
});
