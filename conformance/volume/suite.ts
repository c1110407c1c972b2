import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { Outcome } from '../../proto/gen/longshore/contract/v1/outcome.ts';
import { ControlServiceDefinition } from '../../proto/gen/longshore/volume/v1/control.ts';
import { VolumeServiceDefinition } from '../../proto/gen/longshore/volume/v1/volume.ts';
import type { Controlled } from '../common/control-suite.ts';
import { assertRepeatable } from '../common/repeats.ts';
import { newId, type Session, type Target } from '../common/session.ts';
import { subsystemSuite } from '../common/subsystem-suite.ts';
import { watchSuite } from '../common/watch-suite.ts';
import { refused, type WireClient } from '../common/wire.ts';
import { holderSuite } from './holders.ts';

const { OUTCOME_DONE, OUTCOME_ALREADY, OUTCOME_ABSENT } = Outcome;

const controlled: Controlled = {
  role: 'volume',
  identify: (connection) => connection.client(ControlServiceDefinition).identify({}),
  init: (connection, fence) => connection.client(ControlServiceDefinition).init({ fence }),
  drain: (connection) => connection.client(ControlServiceDefinition).drain({}),
  verb: (connection) => Array.fromAsync(connection.client(VolumeServiceDefinition).listVolumes({})),
  afterInit: ['VolumeService'],
  always: ['ControlService'],
};

/** Proves an implementation of longshore.volume.v1. */
export function volumeSuite(target: Target): void {
  subsystemSuite(target, controlled, (session) => registerVolumes(target, session));
}

function registerVolumes(target: Target, session: () => Session): void {
  let volumes: WireClient<typeof VolumeServiceDefinition>;
  before(() => {
    volumes = session().connection.client(VolumeServiceDefinition);
  });
  const current = () => ({ volumes, session: session() });
  const newName = () => `conformance-${newId().slice(0, 12)}`;

  describe('volume: volumes', () => {
    test('CreateVolume makes a volume of the local driver, with its labels', async () => {
      const name = newName();
      const { outcome, volume } = await volumes.createVolume({ name, labels: { a: 'b' } });
      assert.equal(outcome, OUTCOME_DONE);
      assert.equal(volume?.driver, 'local');
      assert.equal(volume.scope, 'local');
      assert.match(volume.mountpoint, /^\//);
      assert.deepEqual(volume.labels, { a: 'b' });
      assert.deepEqual(volume.holders, []);
      assert.equal(volume.anonymous, false);
      assert.deepEqual((await volumes.getVolume({ name })).volume, volume);
      await volumes.removeVolume({ name });
    });

    test('repeating CreateVolume with the same driver gives the volume and ALREADY', async () => {
      const name = newName();
      const { volume } = await volumes.createVolume({ name });
      const again = await volumes.createVolume({ name, driver: 'local' });
      assert.equal(again.outcome, OUTCOME_ALREADY);
      assert.deepEqual(again.volume, volume);
      await volumes.removeVolume({ name });
    });

    test('a repeat by request id gets the same answer; the id with another request is REQUEST_ID_REUSED', async () => {
      const name = newName();
      const { outcome } = await assertRepeatable(volumes.createVolume, { name }, { name: newName() });
      assert.equal(outcome, OUTCOME_DONE);
      const removal = await assertRepeatable(volumes.removeVolume, { name }, { name: newName() });
      assert.equal(removal.outcome, OUTCOME_DONE);
    });

    test('a name that is none is INVALID_ARGUMENT, BAD_NAME', async () => {
      for (const name of ['a/b', '..', '-x', 'a b']) {
        await refused(volumes.createVolume({ name }), 'INVALID_ARGUMENT', 'BAD_NAME');
      }
    });

    test('a driver that is not there is INVALID_ARGUMENT, UNKNOWN_DRIVER', async () => {
      await refused(volumes.createVolume({ name: newName(), driver: 'nope' }), 'INVALID_ARGUMENT', 'UNKNOWN_DRIVER');
    });

    test('an option that the driver does not know is INVALID_ARGUMENT, BAD_OPTION, and nothing is made', async () => {
      const name = newName();
      const options = { 'no-such-option': '1' };
      await refused(volumes.createVolume({ name, options }), 'INVALID_ARGUMENT', 'BAD_OPTION');
      await refused(volumes.getVolume({ name }), 'NOT_FOUND', 'VOLUME_NOT_FOUND');
    });

    test('GetVolume of what is not there is NOT_FOUND, VOLUME_NOT_FOUND', async () => {
      await refused(volumes.getVolume({ name: newName() }), 'NOT_FOUND', 'VOLUME_NOT_FOUND');
    });

    test('RemoveVolume removes; with force, absent is success', async () => {
      const name = newName();
      await volumes.createVolume({ name });
      assert.equal((await volumes.removeVolume({ name })).outcome, OUTCOME_DONE);
      await refused(volumes.getVolume({ name }), 'NOT_FOUND', 'VOLUME_NOT_FOUND');
      assert.equal((await volumes.removeVolume({ name, force: true })).outcome, OUTCOME_ABSENT);
    });

    test('ListVolumes gives each once, by parts of names, labels, drivers and whether someone holds it', async () => {
      const [one, two, holder] = [newName(), newName(), newId()];
      await volumes.createVolume({ name: one, labels: { group: one } });
      await volumes.acquireVolume({ volume: { name: two, labels: { group: one } }, holder });
      const list = async (request: Parameters<typeof volumes.listVolumes>[0]) =>
        (await Array.fromAsync(volumes.listVolumes(request))).map(({ volume }) => volume?.name);
      const all = await list({});
      assert.equal(all.filter((name) => name === one || name === two).length, 2);
      assert.deepEqual(await list({ names: [one.slice(2)] }), [one]);
      assert.deepEqual((await list({ labels: { group: one } })).sort(), [one, two].sort());
      assert.deepEqual(await list({ labels: { group: one }, dangling: true }), [one]);
      assert.deepEqual(await list({ labels: { group: one }, dangling: false }), [two]);
      assert.deepEqual(await list({ names: [one], drivers: ['nope'] }), []);
      await volumes.releaseVolume({ name: two, holder });
      for (const name of [one, two]) await volumes.removeVolume({ name });
    });

    test('volumes and their holders are there after a restart', { skip: target.restart === undefined }, async () => {
      const [name, holder] = [newName(), newId()];
      await volumes.acquireVolume({ volume: { name }, holder });
      await target.restart?.();
      assert.deepEqual((await volumes.getVolume({ name })).volume?.holders, [holder]);
      await volumes.releaseVolume({ name, holder });
      await volumes.removeVolume({ name });
    });
  });

  holderSuite(target, current);

  watchSuite(target, {
    role: 'volume',
    watch: (request, options) => volumes.watchVolumes(request, options),
    word: ({ action, name }) => `${action} ${name}`,
    async happen() {
      const [name, holder] = [newName(), newId()];
      await volumes.acquireVolume({ volume: { name }, holder });
      await volumes.mountVolume({ name, holder });
      await volumes.unmountVolume({ name, holder });
      await volumes.releaseVolume({ name, holder });
      await volumes.removeVolume({ name });
      return ['create', 'mount', 'unmount', 'destroy'].map((action) => `${action} ${name}`);
    },
  });
}
