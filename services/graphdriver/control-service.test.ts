import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { createMounts } from '../../kit/linux/mounts.ts';
import { checkHealth } from '../../kit/rpc/health.ts';
import { Outcome } from '../../proto/gen/longshore/contract/v1/outcome.ts';
import { LayerServiceDefinition } from '../../proto/gen/longshore/graphdriver/v1/layer.ts';
import {
  base,
  box,
  collect,
  entriesOf,
  framesOf,
  isMounted,
  randomId,
  sealed,
  testService,
  until,
} from './service.fixture.ts';

const skip = process.getuid?.() === 0 ? false : 'needs root: mounts and owners';
const { OUTCOME_DONE, OUTCOME_ALREADY } = Outcome;

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

test('where overlayfs does not work Init takes another driver and says why', { skip }, async (t) => {
  const service = await testService(t);
  const { dataRoot } = service.config;
  const [lower, upper, work, target] = ['lower', 'upper', 'work', 'overlay2'].map((name) => join(dataRoot, name));
  for (const directory of [lower, upper, work, target]) mkdirSync(String(directory));
  // An overlay cannot hold the upper directory of another one.
  execFileSync('mount', [
    '-t',
    'overlay',
    'overlay',
    '-o',
    `lowerdir=${lower},upperdir=${upper},workdir=${work}`,
    String(target),
  ]);
  const { driver, chosenBecause, passedOver } = await service.init();
  assert.deepEqual([driver, chosenBecause], ['vfs', 'first that works here']);
  assert.equal(passedOver.length, 2);
  assert.match(passedOver[0] ?? '', /^overlay2: .*overlay/);
  assert.match(passedOver[1] ?? '', /^btrfs: /);
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
