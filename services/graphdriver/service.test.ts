import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { createMounts } from '../../kit/linux/mounts.ts';
import { checkHealth } from '../../kit/rpc/health.ts';
import { Outcome } from '../../proto/gen/longshore/contract/v1/outcome.ts';
import { ChangeKind, LayerServiceDefinition } from '../../proto/gen/longshore/graphdriver/v1/layer.ts';
import { archiveOf, memberBytes } from './archive/archive.fixture.ts';
import { collect, digestOf, framesOf, randomId, type TestService, testService, until } from './service.fixture.ts';

const skip = process.getuid?.() === 0 ? false : 'needs root: mounts and owners';
const { OUTCOME_DONE, OUTCOME_ALREADY, OUTCOME_ABSENT } = Outcome;

const base = archiveOf(
  { path: 'etc', kind: 'directory' },
  { path: 'etc/hostname', content: 'base' },
  { path: 'bin/sh', content: '#!', mode: 0o755 },
);

async function sealed(service: TestService, archive = base, parent = ''): Promise<string> {
  const id = randomId();
  await service.layers.applyLayer(framesOf({ id, parent }, archive));
  return id;
}

/** A writable layer on a sealed one, mounted. */
async function box(service: TestService): Promise<{ id: string; parent: string; path: string }> {
  const parent = await sealed(service);
  const id = randomId();
  await service.layers.createLayer({ id, parent });
  const { path } = await service.layers.mountLayer({ id, holder: 'c1' });
  return { id, parent, path };
}

const entriesOf = (service: TestService) => readdirSync(join(service.config.dataRoot, 'overlay2')).sort();
const isMounted = (path: string) => createMounts().list(path).length > 0;

test('before Init the service says who it is, and refuses layers', { skip }, async (t) => {
  const service = await testService(t);
  const { identity } = await service.control.identify({});
  assert.equal(identity?.pid, process.pid);
  assert.equal(identity?.engineId, '');
  assert.equal(await checkHealth(service.channel, LayerServiceDefinition.fullName, 1000), 'NOT_SERVING');
  await assert.rejects(collect(service.layers.listLayers({})), { reason: 'NOT_INITIALISED' });
});

test('Init opens the best driver, and gives a nonce that is in the data root', { skip }, async (t) => {
  const service = await testService(t);
  const { engineId } = service;
  const opened = await service.control.init({ fence: { engineId, epoch: 1, bootId: '' } });
  assert.deepEqual([opened.driver, opened.chosenBecause], ['overlay2', 'first that works here']);
  assert.equal(readFileSync(join(service.config.dataRoot, opened.noncePath), 'utf8'), opened.nonce);
  assert.ok(opened.status.some(({ name }) => name === 'Backing Filesystem'));
  assert.equal(await checkHealth(service.channel, LayerServiceDefinition.fullName, 1000), 'SERVING');
  const again = await service.control.init({ fence: { engineId, epoch: 2, bootId: '' } });
  assert.equal(again.nonce, opened.nonce);
});

test('Init refuses another engine, an older coordinator, an unknown driver and unknown options', {
  skip,
}, async (t) => {
  const service = await testService(t);
  const { engineId, control } = service;
  await control.init({ fence: { engineId, epoch: 5, bootId: '' } });
  const refused = (fence: object, rest: object = {}) =>
    control.init({ fence: { engineId, epoch: 6, bootId: '', ...fence }, ...rest });
  await assert.rejects(refused({ engineId: 'f'.repeat(32) }), { reason: 'OTHER_ENGINE' });
  await assert.rejects(refused({ epoch: 4 }), { reason: 'STALE_EPOCH' });
  await assert.rejects(refused({}, { driver: 'aufs' }), { reason: 'DRIVER_UNKNOWN' });
  await assert.rejects(refused({}, { options: ['overlay2.size=1G'] }), { reason: 'BAD_OPTION' });
});

test('a directory of Docker’s layers is not touched', { skip }, async (t) => {
  const service = await testService(t);
  const docker = join(service.config.dataRoot, 'overlay2', randomId(), 'diff');
  mkdirSync(docker, { recursive: true });
  mkdirSync(join(service.config.dataRoot, 'image/overlay2/layerdb'), { recursive: true });
  await assert.rejects(service.init(), { reason: 'FOREIGN_LAYERS' });
  assert.ok(existsSync(docker));
  assert.equal((await service.init('vfs')).driver, 'vfs');
  assert.deepEqual((await service.control.migrate({})).moved, []);
  assert.ok(existsSync(docker));
});

test('a root with layers of one driver keeps it; with layers of two the user has to choose', { skip }, async (t) => {
  const service = await testService(t);
  assert.equal((await service.init('vfs')).chosenBecause, 'named');
  await sealed(service);
  const { driver, chosenBecause } = await service.init();
  assert.deepEqual([driver, chosenBecause], ['vfs', 'used before']);
  await service.init('overlay2');
  await sealed(service);
  await assert.rejects(service.init(), { reason: 'SEVERAL_DRIVERS' });
});

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

async function applyFile(service: TestService, path: string, id = randomId()): Promise<string> {
  const header = { id, parent: '', expectedDiffId: '', labels: {}, source: { $case: 'path', value: path } as const };
  const { layer } = await service.layers.applyLayer(
    (async function* () {
      yield { frame: { $case: 'header', value: header } as const };
    })(),
  );
  return layer?.diffId ?? '';
}

test('an archive is taken from a file below the data root, however it is compressed', { skip }, async (t) => {
  const service = await testService(t);
  await service.init();
  const blobs = join(service.config.dataRoot, 'graph/blobs');
  mkdirSync(blobs, { recursive: true });
  writeFileSync(join(blobs, 'plain'), base);
  writeFileSync(join(blobs, 'gzip'), gzipSync(base));
  writeFileSync(join(blobs, 'zstd'), zstdCompressSync(base));
  for (const name of ['plain', 'gzip', 'zstd']) {
    assert.equal(await applyFile(service, `graph/blobs/${name}`), digestOf(base));
  }
  symlinkSync('/etc/passwd', join(blobs, 'link'));
  for (const name of ['link', 'missing', '.']) {
    await assert.rejects(applyFile(service, `graph/${name === '.' ? 'blobs' : `blobs/${name}`}`), {
      reason: 'BLOB_NOT_FOUND',
    });
  }
});

test('an archive that is refused leaves nothing', { skip }, async (t) => {
  const service = await testService(t);
  const { layers } = service;
  await service.init();
  const before = entriesOf(service);
  const bad = { reason: 'BAD_ARCHIVE', code: 'INVALID_ARGUMENT' };
  const leaving = archiveOf({ path: 'ok', content: 'x' }, { path: '../escape', content: 'x' });
  await assert.rejects(layers.applyLayer(framesOf({ id: randomId() }, leaving)), { ...bad, message: /\.\.\/escape/ });
  const cut = gzipSync(base).subarray(0, 100);
  await assert.rejects(layers.applyLayer(framesOf({ id: randomId() }, cut)), { ...bad, message: /cut short/ });
  const half = memberBytes({ path: 'file', content: 'x'.repeat(2000) }).subarray(0, 1500);
  await assert.rejects(layers.applyLayer(framesOf({ id: randomId() }, half)), { ...bad, message: /file/ });
  await assert.rejects(layers.applyLayer(framesOf({ id: randomId() }, Buffer.from('BZh91AY'))), {
    ...bad,
    message: /bzip2/,
  });
  const other = framesOf({ id: randomId(), expectedDiffId: `sha256:${'0'.repeat(64)}` }, base);
  await assert.rejects(layers.applyLayer(other), { reason: 'DIGEST_MISMATCH' });
  assert.deepEqual(await collect(layers.listLayers({})), []);
  await until(() => entriesOf(service).length === before.length);
  assert.deepEqual(entriesOf(service), before);
});

test('two that apply one layer at once get one layer', { skip }, async (t) => {
  const service = await testService(t);
  const { layers } = service;
  await service.init();
  const id = randomId();
  const answers = await Promise.all([1, 2, 3].map(() => layers.applyLayer(framesOf({ id }, base))));
  assert.deepEqual(answers.map(({ outcome }) => outcome).sort(), [OUTCOME_DONE, OUTCOME_ALREADY, OUTCOME_ALREADY]);
  assert.equal((await collect(layers.listLayers({}))).length, 1);
});

test('when the first of two fails, the second makes the layer', { skip }, async (t) => {
  const service = await testService(t);
  const { layers } = service;
  await service.init();
  const id = randomId();
  const [first, second] = await Promise.allSettled([
    layers.applyLayer(framesOf({ id }, Buffer.from('no archive'.repeat(100)))),
    layers.applyLayer(framesOf({ id }, base)),
  ]);
  assert.equal(first.status, 'rejected');
  assert.equal(second.status === 'fulfilled' && second.value.outcome, OUTCOME_DONE);
});

test('a caller that goes away in the middle leaves no layer, and the next one is served', { skip }, async (t) => {
  const service = await testService(t);
  const { layers } = service;
  await service.init();
  const id = randomId();
  const abort = new AbortController();
  async function* endless(): AsyncGenerator<Buffer, void, undefined> {
    yield memberBytes({ path: 'first', content: 'x' });
    while (existsSync(service.config.dataRoot)) {
      yield memberBytes({ path: 'more', content: 'x'.repeat(500_000) });
      if (entriesOf(service).some((name) => name.startsWith(id))) abort.abort();
    }
  }
  await assert.rejects(layers.applyLayer(framesOf({ id }, endless()), { signal: abort.signal }));
  assert.equal((await layers.applyLayer(framesOf({ id }, base))).outcome, OUTCOME_DONE);
});

test('Drain takes down the views that nobody keeps, and forgets Init', { skip }, async (t) => {
  const service = await testService(t);
  await service.init();
  const gone = await box(service);
  const kept = await box(service);
  await service.layers.mountLayer({ id: kept.id, holder: 'living' });
  assert.deepEqual((await service.control.drain({ keep: ['living'] })).problems, []);
  assert.ok(!isMounted(gone.path));
  assert.ok(isMounted(kept.path));
  await assert.rejects(service.layers.getLayer({ id: kept.id }), { reason: 'NOT_INITIALISED' });
  await service.stop();
  await service.start();
  await assert.rejects(service.layers.getLayer({ id: kept.id }), { reason: 'NOT_INITIALISED' });
  await service.init();
  assert.deepEqual((await service.layers.getLayer({ id: kept.id })).layer?.holders, ['living']);
});

test('after a restart the service goes on by itself with what is mounted', { skip }, async (t) => {
  const service = await testService(t);
  await service.init();
  const { id, path } = await box(service);
  await service.stop();
  assert.ok(isMounted(path));
  await service.start();
  assert.deepEqual((await service.layers.getLayer({ id })).layer?.holders, ['c1']);
  assert.deepEqual(await service.layers.mountLayer({ id, holder: 'c1' }), { outcome: OUTCOME_ALREADY, path });
});

test('after a restart mounts nobody holds are gone, and holders without a mount are forgotten', { skip }, async (t) => {
  const service = await testService(t);
  await service.init();
  const { id, path } = await box(service);
  await service.stop();
  createMounts().unmount(path, { detach: true });
  await service.start();
  assert.deepEqual((await service.layers.getLayer({ id })).layer?.holders, []);
  assert.equal((await service.layers.mountLayer({ id, holder: 'c1' })).outcome, OUTCOME_DONE);
  await service.stop();
  // As after a reboot, when the record's boot is not this one any more.
  await service.start({ bootId: 'another boot' });
  assert.deepEqual((await service.layers.getLayer({ id })).layer?.holders, []);
  assert.ok(!isMounted(path));
});

test('after a restart lost directories are made again or given up, and unknown ones removed', { skip }, async (t) => {
  const service = await testService(t);
  const { layers } = service;
  await service.init();
  const { id, parent } = await box(service);
  const other = await sealed(service);
  await layers.unmountLayer({ id, holder: 'c1' });
  await service.stop();
  const home = join(service.config.dataRoot, 'overlay2');
  for (const lost of [id, other]) rmSync(join(home, lost), { recursive: true });
  mkdirSync(join(home, randomId(), 'diff'), { recursive: true });
  await service.start();
  const { path } = await layers.mountLayer({ id, holder: 'c1' });
  assert.equal(readFileSync(join(path, 'etc/hostname'), 'utf8'), 'base');
  await assert.rejects(layers.getLayer({ id: other }), { reason: 'LAYER_NOT_FOUND' });
  assert.equal((await layers.applyLayer(framesOf({ id: other }, base))).outcome, OUTCOME_DONE);
  await until(() => entriesOf(service).length === 5);
  assert.deepEqual(entriesOf(service), ['.longshore', 'empty', id, parent, other].sort());
});

test('a layer whose files are gone says so when it is mounted', { skip }, async (t) => {
  const service = await testService(t);
  await service.init();
  const { id } = await box(service);
  await service.layers.unmountLayer({ id, holder: 'c1' });
  rmSync(join(service.config.dataRoot, 'overlay2', id, 'diff'), { recursive: true });
  await assert.rejects(service.layers.mountLayer({ id, holder: 'c1' }), { reason: 'LAYER_DAMAGED', code: 'DATA_LOSS' });
  assert.deepEqual((await service.layers.getLayer({ id })).layer?.holders, []);
});

test('an opaque root hides all layers below, in a mount and in a diff', { skip }, async (t) => {
  const service = await testService(t);
  await service.init();
  const { layers } = service;
  const parent = await sealed(service);
  const top = await sealed(service, archiveOf({ path: '.wh..wh..opq' }, { path: 'only', content: 'x' }), parent);
  const id = randomId();
  await layers.createLayer({ id, parent: top });
  assert.deepEqual(readdirSync((await layers.mountLayer({ id, holder: 'c1' })).path), ['only']);
  assert.deepEqual(readdirSync((await layers.mountLayer({ id: top, holder: 'c1' })).path), ['only']);
  const paths = (await collect(layers.listChanges({ id: top }))).map((change) => change.path);
  assert.deepEqual(paths, ['/bin', '/etc', '/only']);
});

test('the driver does not change while a layer is mounted', { skip }, async (t) => {
  const service = await testService(t);
  await service.init('vfs');
  const { id } = await box(service);
  await assert.rejects(service.init('overlay2'), { reason: 'DRIVER_IN_USE', message: /c1/ });
  await service.layers.unmountLayer({ id, holder: 'c1' });
  assert.equal((await service.init('overlay2')).driver, 'overlay2');
});

test('a second service on the same data root does not start', { skip }, async (t) => {
  const service = await testService(t);
  await assert.rejects(service.start(), { reason: 'RECORDS_IN_USE' });
});
