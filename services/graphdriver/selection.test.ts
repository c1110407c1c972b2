import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isServiceError } from '../../kit/errors.ts';
import { driverNames } from './driver.ts';
import { type Candidate, selectDriver } from './selection.ts';

function choose(named: string, state: { fails?: string[]; used?: string[] } = {}) {
  const candidates: Candidate[] = driverNames.map((name) => ({
    name,
    problem: () => (state.fails?.includes(name) ? 'not here' : undefined),
    wasUsed: () => state.used?.includes(name) ?? false,
  }));
  const { choice, because, passedOver } = selectDriver(candidates, { named, root: '/root', engineId: 'e' });
  return [`${choice.name}: ${because}`, ...passedOver].join(', ');
}

function reason(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (isServiceError(error)) return error.reason;
    throw error;
  }
  return 'none';
}

test('the driver that was named is taken, whatever was used before', () => {
  assert.equal(choose('vfs', { used: ['overlay2'] }), 'vfs: named');
});

test('a driver that was named and does not work is refused, not replaced', () => {
  assert.equal(
    reason(() => choose('btrfs', { fails: ['btrfs'] })),
    'DRIVER_UNSUPPORTED',
  );
});

test('a driver that does not exist is refused', () => {
  assert.equal(
    reason(() => choose('aufs')),
    'DRIVER_UNKNOWN',
  );
});

test('the driver used before is taken before a better one', () => {
  assert.equal(choose('', { used: ['vfs'] }), 'vfs: used before');
  assert.equal(
    reason(() => choose('', { used: ['btrfs'], fails: ['btrfs'] })),
    'DRIVER_UNSUPPORTED',
  );
});

test('with layers of several drivers the user has to choose', () => {
  assert.equal(
    reason(() => choose('', { used: ['overlay2', 'vfs'] })),
    'SEVERAL_DRIVERS',
  );
});

test('on a fresh root the first that works is taken', () => {
  assert.equal(choose(''), 'overlay2: first that works here');
  assert.equal(choose('', { fails: ['overlay2'] }), 'btrfs: first that works here, overlay2: not here');
  assert.equal(
    choose('', { fails: ['overlay2', 'btrfs'] }),
    'vfs: first that works here, overlay2: not here, btrfs: not here',
  );
  assert.equal(
    reason(() => choose('', { fails: [...driverNames] })),
    'NO_DRIVER',
  );
});
