import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isServiceError } from './errors.ts';
import { type Commit, idempotent } from './outcomes.ts';
import { openRecords, type Records } from './records.ts';

const text = new TextEncoder();

function open(): Records {
  return openRecords(':memory:', { migrations: ['CREATE TABLE effect (name TEXT)'] });
}

function mutate(
  records: Records,
  id: string | undefined,
  request: string,
  work: (commit: Commit<string>) => Promise<string> | string,
  method = '/s/M',
): Promise<string> {
  return idempotent(
    {
      records,
      call: { requestId: id ?? 'made here', requestIdGiven: id !== undefined, method },
      request: text.encode(request),
      encode: (outcome) => text.encode(outcome),
      decode: (bytes) => new TextDecoder().decode(bytes),
    },
    work,
  );
}

test('the same request again gets the same answer and is not done again', async () => {
  using records = open();
  let times = 0;
  const work = () => `done ${++times}`;
  assert.equal(await mutate(records, 'r1', 'x', work), 'done 1');
  assert.equal(await mutate(records, 'r1', 'x', work), 'done 1');
  assert.equal(await mutate(records, 'r2', 'x', work), 'done 2');
});

test('the same id with another content or for another method is refused', async () => {
  using records = open();
  await mutate(records, 'r1', 'x', () => 'done');
  const isReused = (error: unknown) => isServiceError(error, 'REQUEST_ID_REUSED') && error.code === 'ALREADY_EXISTS';
  await assert.rejects(
    mutate(records, 'r1', 'y', () => 'done'),
    isReused,
  );
  await assert.rejects(
    mutate(records, 'r1', 'x', () => 'done', '/s/Other'),
    isReused,
  );
});

test('a repeat that comes while the first runs waits for it', async () => {
  using records = open();
  const blocked = Promise.withResolvers<void>();
  let times = 0;
  const work = async () => {
    times += 1;
    await blocked.promise;
    return 'done';
  };
  const both = [mutate(records, 'r1', 'x', work), mutate(records, 'r1', 'x', work)];
  blocked.resolve();
  assert.deepEqual(await Promise.all(both), ['done', 'done']);
  assert.equal(times, 1);
});

test('outcome and settled record are written together or not at all', async () => {
  using records = open();
  const settle = (fail: boolean) => (commit: Commit<string>) =>
    commit('done', () => {
      records.prepare('INSERT INTO effect VALUES (?)').run('a');
      if (fail) throw new Error('disk');
    });
  const effects = () => records.prepare('SELECT * FROM effect').all().length;
  await assert.rejects(mutate(records, 'r1', 'x', settle(true)), /disk/);
  assert.equal(effects(), 0);
  assert.equal(await mutate(records, 'r1', 'x', settle(false)), 'done');
  assert.equal(await mutate(records, 'r1', 'x', settle(false)), 'done');
  assert.equal(effects(), 1);
});

test('a failure is not kept: the repeat tries again; who joined it fails with it', async () => {
  using records = open();
  const work = () => Promise.reject(new Error('no'));
  const both = await Promise.allSettled([mutate(records, 'r1', 'x', work), mutate(records, 'r1', 'x', work)]);
  assert.deepEqual(
    both.map((each) => each.status),
    ['rejected', 'rejected'],
  );
  assert.equal(await mutate(records, 'r1', 'x', () => 'done'), 'done');
});

test('a caller that chose no id repeats nothing and leaves nothing behind', async () => {
  using records = open();
  let times = 0;
  await mutate(records, undefined, 'x', () => `done ${++times}`);
  await mutate(records, undefined, 'x', () => `done ${++times}`);
  assert.equal(times, 2);
});

test('an outcome is kept for ten minutes', async (t) => {
  using records = open();
  t.mock.timers.enable({ apis: ['Date'], now: 1_000_000_000_000 });
  await mutate(records, 'r1', 'x', () => 'first');
  t.mock.timers.tick(9 * 60_000);
  assert.equal(await mutate(records, 'r1', 'x', () => 'second'), 'first');
  t.mock.timers.tick(60_001);
  assert.equal(await mutate(records, 'r1', 'x', () => 'second'), 'second');
  t.mock.timers.tick(11 * 60_000);
  await mutate(records, 'r2', 'x', () => 'done');
  assert.deepEqual(
    records
      .prepare('SELECT request_id FROM kit_outcome')
      .all()
      .map((row) => row.request_id),
    ['r2'],
  );
});

test('an outcome is told when it survives what it must: a power cut, or the death of a process', async () => {
  using opened = open();
  const disk = Promise.withResolvers<void>();
  const records = { ...opened, synced: () => disk.promise };
  const mutation = {
    records,
    request: text.encode('x'),
    encode: (outcome: string) => text.encode(outcome),
    decode: String,
  };
  const call = (requestId: string) => ({ requestId, requestIdGiven: true, method: '/s/M' });
  assert.equal(await idempotent({ ...mutation, call: call('r1'), survives: 'kill' }, () => 'started'), 'started');

  let isTold = false;
  const created = idempotent({ ...mutation, call: call('r2') }, () => 'created').then(() => {
    isTold = true;
  });
  await new Promise(setImmediate);
  assert.equal(isTold, false);
  assert.equal(records.prepare('SELECT count(*) AS n FROM kit_outcome').get()?.n, 2);
  disk.resolve();
  await created;
});
