import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Outcome } from '../../proto/gen/longshore/contract/v1/outcome.ts';
import { ChangeKind } from '../../proto/gen/longshore/graphdriver/v1/layer.ts';
import {
  applyFile,
  base,
  box,
  collect,
  digestOf,
  framesOf,
  isMounted,
  randomId,
  sealed,
  testService,
} from './service.fixture.ts';

const skip = process.getuid?.() === 0 ? false : 'needs root: mounts and owners';
const { OUTCOME_DONE, OUTCOME_ALREADY, OUTCOME_ABSENT } = Outcome;

test('a layer goes through its whole life', { skip }, async (t) => {
  const service = await testService(t);
  const { layers } = service;
  await service.init();
  const parent = randomId();
  const header = { id: parent, expectedDiffId: digestOf(base), labels: { image: 'base' } };
  const applied = await layers.applyLayer(framesOf(header, base));
  assert.equal(applied.outcome, OUTCOME_DONE);
  assert.deepEqual([applied.layer?.diffId, applied.layer?.size, applied.layer?.writable], [digestOf(base), 6, false]);

  const id = randomId();
  assert.equal((await layers.createLayer({ id, parent, labels: { kind: 'box' } })).outcome, OUTCOME_DONE);
  const { path, outcome } = await layers.mountLayer({ id, holder: 'c1' });
  assert.equal(outcome, OUTCOME_DONE);
  assert.equal(readFileSync(join(path, 'etc/hostname'), 'utf8'), 'base');
  writeFileSync(join(path, 'etc/hostname'), 'changed');
  writeFileSync(join(path, 'new'), 'twelve bytes');

  const changes = await collect(layers.listChanges({ id }));
  assert.deepEqual(
    changes.map((change) => [change.path, change.kind]),
    [
      ['/etc', ChangeKind.CHANGE_KIND_MODIFIED],
      ['/etc/hostname', ChangeKind.CHANGE_KIND_MODIFIED],
      ['/new', ChangeKind.CHANGE_KIND_ADDED],
    ],
  );
  const measured = await layers.getLayer({ id, measure: true });
  assert.deepEqual([measured.layer?.size, measured.layer?.holders], [19, ['c1']]);
  assert.equal((await layers.getLayer({ id })).layer?.size, 19);

  const diff = Buffer.concat((await collect(layers.diffLayer({ id }))).map(({ chunk }) => chunk));
  const committed = await sealed(service, diff, parent);
  const copy = await layers.mountLayer({ id: committed, holder: 'reader' });
  assert.equal(readFileSync(join(copy.path, 'etc/hostname'), 'utf8'), 'changed');
  assert.equal(readFileSync(join(copy.path, 'bin/sh'), 'utf8'), '#!');
  await layers.unmountLayer({ id: committed, holder: 'reader' });

  const listed = await collect(layers.listLayers({ labels: { kind: 'box' } }));
  assert.deepEqual(
    listed.map(({ layer }) => layer?.id),
    [id],
  );
  assert.equal((await collect(layers.listLayers({}))).length, 3);
  assert.equal((await collect(layers.listLayers({ writableOnly: true }))).length, 1);

  await layers.unmountLayer({ id, holder: 'c1' });
  assert.ok(!isMounted(path));
  for (const layer of [id, committed, parent]) {
    assert.equal((await layers.removeLayer({ id: layer })).outcome, OUTCOME_DONE);
    assert.equal((await layers.removeLayer({ id: layer })).outcome, OUTCOME_ABSENT);
  }
  await assert.rejects(layers.getLayer({ id }), { reason: 'LAYER_NOT_FOUND' });
});

test('repeating a call is no error, and says what it found', { skip }, async (t) => {
  const service = await testService(t);
  const { layers } = service;
  await service.init();
  const { id, parent, path } = await box(service);
  assert.equal((await layers.applyLayer(framesOf({ id: parent }, base))).outcome, OUTCOME_ALREADY);
  assert.equal((await layers.createLayer({ id, parent })).outcome, OUTCOME_ALREADY);
  assert.deepEqual(await layers.mountLayer({ id, holder: 'c1' }), { outcome: OUTCOME_ALREADY, path });
  assert.equal((await layers.unmountLayer({ id, holder: 'other' })).outcome, OUTCOME_ALREADY);
  assert.equal((await layers.unmountLayer({ id, holder: 'c1' })).outcome, OUTCOME_DONE);
  assert.equal((await layers.unmountLayer({ id, holder: 'c1' })).outcome, OUTCOME_ALREADY);
  assert.equal((await layers.unmountLayer({ id: randomId(), holder: 'c1' })).outcome, OUTCOME_ABSENT);
});

test('a request id gives the first answer again, and refuses another request', { skip }, async (t) => {
  const service = await testService(t);
  const { layers } = service;
  await service.init();
  const id = randomId();
  const first = await layers.createLayer({ id }, { requestId: 'once' });
  assert.equal((await layers.createLayer({ id }, { requestId: 'once' })).outcome, first.outcome);
  await assert.rejects(layers.createLayer({ id: randomId() }, { requestId: 'once' }), { reason: 'REQUEST_ID_REUSED' });
});

test('a view stays until its last holder has gone', { skip }, async (t) => {
  const service = await testService(t);
  const { layers } = service;
  await service.init();
  const { id, path } = await box(service);
  assert.deepEqual(await layers.mountLayer({ id, holder: 'c2' }), { outcome: OUTCOME_DONE, path });
  await layers.unmountLayer({ id, holder: 'c1' });
  assert.ok(isMounted(path));
  await layers.unmountLayer({ id, holder: 'c2' });
  assert.ok(!isMounted(path));
});

test('what is in use is not removed, and the holder is named', { skip }, async (t) => {
  const service = await testService(t);
  const { layers } = service;
  await service.init();
  const { id, parent } = await box(service);
  await assert.rejects(layers.removeLayer({ id }), { reason: 'LAYER_IN_USE', message: /mounted by c1/ });
  await assert.rejects(layers.removeLayer({ id: parent }), { reason: 'LAYER_IN_USE', message: new RegExp(id) });
});

test('a layer that exists otherwise is not made again', { skip }, async (t) => {
  const service = await testService(t);
  const { layers } = service;
  await service.init();
  const { id, parent } = await box(service);
  const exists = { reason: 'LAYER_EXISTS' };
  await assert.rejects(layers.createLayer({ id }), exists);
  await assert.rejects(layers.createLayer({ id: parent }), exists);
  await assert.rejects(layers.applyLayer(framesOf({ id, parent }, base)), exists);
  await assert.rejects(
    layers.applyLayer(framesOf({ id: parent, expectedDiffId: `sha256:${'0'.repeat(64)}` }, base)),
    exists,
  );
});

test('a parent has to exist and be sealed', { skip }, async (t) => {
  const service = await testService(t);
  const { layers } = service;
  await service.init();
  const { id } = await box(service);
  await assert.rejects(layers.createLayer({ id: randomId(), parent: randomId() }), { reason: 'LAYER_NOT_FOUND' });
  await assert.rejects(layers.createLayer({ id: randomId(), parent: id }), { reason: 'PARENT_NOT_SEALED' });
  await assert.rejects(layers.createLayer({ id: randomId(), storageOptions: { size: '1G' } }), {
    reason: 'BAD_OPTION',
  });
});

test('malformed requests are refused with the field named', { skip }, async (t) => {
  const service = await testService(t);
  const { layers } = service;
  await service.init();
  const id = randomId();
  await assert.rejects(layers.createLayer({ id: '../../etc' }), { reason: 'BAD_ID', message: /^id must/ });
  await assert.rejects(layers.createLayer({ id, parent: 'x' }), { reason: 'BAD_ID', message: /^parent must/ });
  await assert.rejects(layers.mountLayer({ id, holder: '' }), { reason: 'BAD_REQUEST', message: /^holder/ });
  const big = { label: 'x'.repeat(5000) };
  await assert.rejects(layers.createLayer({ id, labels: big }), { reason: 'BAD_REQUEST', message: /^labels/ });
  const digest = framesOf({ id, expectedDiffId: 'md5:00' }, base);
  await assert.rejects(layers.applyLayer(digest), { reason: 'BAD_REQUEST', message: /^expected_diff_id/ });
  for (const path of ['/etc/passwd', '../outside', 'a/../b', 'a//b', '']) {
    await assert.rejects(applyFile(service, path), { reason: 'BAD_REQUEST', message: /^path/ });
  }
});
