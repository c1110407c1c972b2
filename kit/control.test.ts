import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { openControl } from './control.ts';
import { isServiceError } from './errors.ts';
import { openRecords } from './records.ts';

const policy = Buffer.from('driver=overlay2');
const fence = { engineId: 'e1', epoch: 3, bootId: '' };

function open(bootId = 'boot-1') {
  const records = openRecords(':memory:', { migrations: [] });
  return { records, control: openControl(records, { bootId }) };
}

const refuses = (reason: string) => (error: unknown) => isServiceError(error, reason);

test('an older coordinator, another engine and another host are refused', () => {
  const { control } = open();
  control.accept(fence, policy);
  assert.throws(() => control.accept({ ...fence, epoch: 2 }, policy), refuses('STALE_EPOCH'));
  assert.throws(() => control.accept({ ...fence, engineId: 'e2' }, policy), refuses('OTHER_ENGINE'));
  assert.throws(() => control.accept({ ...fence, bootId: 'boot-2' }, policy), refuses('OTHER_HOST'));
  assert.throws(() => control.accept(undefined, policy), refuses('FENCE_MISSING'));
  assert.doesNotThrow(() => control.accept({ ...fence, bootId: 'boot-1' }, policy));
  assert.deepEqual(control.fence(), { engineId: 'e1', epoch: 3 });
});

test('a newer coordinator with the same policy changes nothing', () => {
  const { control } = open();
  const first = control.accept(fence, policy);
  assert.equal(first.unchanged, false);
  first.remember();
  assert.equal(control.accept({ ...fence, epoch: 4 }, policy).unchanged, true);
  assert.equal(control.accept({ ...fence, epoch: 4 }, Buffer.from('other')).unchanged, false);
});

test('an Init that did not work is not resumed, but its epoch counts', () => {
  const { control } = open();
  control.accept(fence, policy);
  assert.equal(control.remembered(), undefined);
  assert.equal(control.fence().epoch, 3);
});

test('a restarted service remembers its last Init', () => {
  const dir = mkdtempSync(join(tmpdir(), 'kit-control-'));
  try {
    const path = join(dir, 'records.db');
    {
      using records = openRecords(path, { migrations: [] });
      openControl(records, { bootId: 'boot-1' }).accept(fence, policy).remember();
    }
    using records = openRecords(path, { migrations: [] });
    const same = openControl(records, { bootId: 'boot-1' }).remembered();
    assert.deepEqual(Buffer.from(same?.policy ?? []), policy);
    assert.deepEqual([same?.engineId, same?.epoch, same?.sameBoot], ['e1', 3, true]);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});

test('after a reboot the policy is known but nothing counts as done', () => {
  const { records, control } = open('boot-1');
  control.accept(fence, policy).remember();
  const rebooted = openControl(records, { bootId: 'boot-2' });
  assert.equal(rebooted.remembered()?.sameBoot, false);
  assert.equal(rebooted.accept(fence, policy).unchanged, false);
});

test('a drained service resumes nothing and still knows its engine', () => {
  const { control } = open();
  control.accept(fence, policy).remember();
  control.forget();
  assert.equal(control.remembered(), undefined);
  assert.throws(() => control.accept({ ...fence, engineId: 'e2' }, policy), refuses('OTHER_ENGINE'));
});
