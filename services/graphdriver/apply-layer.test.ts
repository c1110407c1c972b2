import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { archiveOf, memberBytes } from '../../kit/archive/archive.fixture.ts';
import { Outcome } from '../../proto/gen/longshore/contract/v1/outcome.ts';
import {
  applyFile,
  base,
  collect,
  digestOf,
  entriesOf,
  framesOf,
  randomId,
  sealed,
  testService,
  until,
} from './service.fixture.ts';

const skip = process.getuid?.() === 0 ? false : 'needs root: mounts and owners';
const { OUTCOME_DONE, OUTCOME_ALREADY } = Outcome;

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
