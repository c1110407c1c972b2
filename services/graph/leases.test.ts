import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLeases } from './leases.ts';

test('what a lease holds is not collected, until the last lease on it ends', async () => {
  const leases = createLeases();
  const [one, two] = [leases.open(), leases.open()];
  await one.hold('key');
  await two.hold('key');
  assert.equal(await leases.collect('key', async () => assert.fail('held')), false);
  assert.deepEqual(await one.release(), ['key']);
  assert.equal(await leases.collect('key', async () => assert.fail('held')), false);
  await two.release();
  assert.equal(await leases.collect('key', async () => undefined), true);
});

test('who wants to hold a key that is being removed waits until it is gone', async () => {
  const leases = createLeases();
  const order: string[] = [];
  const removal = Promise.withResolvers<void>();
  const collecting = leases.collect('key', async () => {
    await removal.promise;
    order.push('removed');
  });
  await Promise.resolve();
  const holding = leases
    .open()
    .hold('key')
    .then(() => order.push('held'));
  removal.resolve();
  await Promise.all([collecting, holding]);
  assert.deepEqual(order, ['removed', 'held']);
});

test('a key that two want to collect is not removed by one under the hands of who holds it after the other', async () => {
  const leases = createLeases();
  const lease = leases.open();
  const gates = [1, 2, 3].map(() => Promise.withResolvers<void>());
  let running = 0;
  const collecting = gates.map(({ promise }) =>
    leases.collect('key', async () => {
      running += 1;
      assert.equal(running, 1, 'one removal at a time');
      await promise;
      running -= 1;
    }),
  );
  await Promise.resolve();
  const holding = lease.hold('key').then(() => assert.equal(running, 0));
  for (const { resolve } of gates) {
    resolve();
    await new Promise((next) => setImmediate(next));
  }
  await Promise.all([...collecting, holding]);
});

test('a release gives what was held, last first, when the work on it has ended', async () => {
  const lease = createLeases().open();
  const work = Promise.withResolvers<void>();
  for (const key of ['a', 'b', 'a', 'c']) await lease.hold(key);
  lease.attend(work.promise);
  let isReleased = false;
  const releasing = lease.release().then((keys) => {
    isReleased = true;
    return keys;
  });
  await Promise.resolve();
  assert.equal(isReleased, false);
  work.reject(new Error('it failed'));
  assert.deepEqual(await releasing, ['c', 'b', 'a']);
});
