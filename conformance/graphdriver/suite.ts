import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { ControlServiceDefinition } from '../../proto/gen/longshore/graphdriver/v1/control.ts';
import { LayerServiceDefinition } from '../../proto/gen/longshore/graphdriver/v1/layer.ts';
import type { Controlled } from '../common/control-suite.ts';
import { newId, type Session, type Target } from '../common/session.ts';
import { subsystemSuite } from '../common/subsystem-suite.ts';
import { refused } from '../common/wire.ts';
import type { Layers } from './archives.ts';
import { differenceSuite } from './differences.ts';
import { mountSuite } from './mounts.ts';
import { sealedSuite } from './sealed.ts';
import { writableSuite } from './writable.ts';

export interface GraphdriverTarget extends Target {
  /** The driver to test; the implementation's own choice when left out. */
  driver?: string;
  /** Its data root on this host, for archives that are handed over as paths. */
  dataRoot?: string;
}

/** Proves an implementation of longshore.graphdriver.v1. */
export function graphdriverSuite(target: GraphdriverTarget): void {
  const { driver = '' } = target;
  const controlled: Controlled = {
    role: 'graphdriver',
    identify: (connection) => connection.client(ControlServiceDefinition).identify({}),
    init: (connection, fence) => connection.client(ControlServiceDefinition).init({ fence, driver }),
    drain: (connection) => connection.client(ControlServiceDefinition).drain({}),
    verb: (connection) => Array.fromAsync(connection.client(LayerServiceDefinition).listLayers({})),
    afterInit: ['LayerService'],
    always: ['ControlService'],
  };
  subsystemSuite(target, controlled, (session) => registerLayers(target, session));
}

function registerLayers(target: GraphdriverTarget, session: () => Session): void {
  const { driver = '' } = target;
  let layers: Layers;
  before(() => {
    layers = session().connection.client(LayerServiceDefinition);
  });
  const control = () => session().connection.client(ControlServiceDefinition);
  const reinit = () => control().init({ fence: session().newFence(), driver });

  describe('graphdriver: choosing the driver', () => {
    test('Init says which driver it chose and why; the one named is "named"', async () => {
      const chosen = await reinit();
      assert.notEqual(chosen.driver, '');
      const named = await control().init({ fence: session().newFence(), driver: chosen.driver });
      assert.deepEqual([named.driver, named.chosenBecause], [chosen.driver, 'named']);
    });

    test('without a name the driver used on this root before is chosen again', async () => {
      const { driver: before } = await reinit();
      const id = newId();
      await layers.createLayer({ id });
      const again = await control().init({ fence: session().newFence() });
      assert.deepEqual([again.driver, again.chosenBecause], [before, 'used before']);
      await layers.removeLayer({ id });
    });

    test('a driver that nobody knows is FAILED_PRECONDITION, DRIVER_UNKNOWN', async () => {
      const wanted = control().init({ fence: session().newFence(), driver: 'no-such-driver' });
      await refused(wanted, 'FAILED_PRECONDITION', 'DRIVER_UNKNOWN');
      await reinit();
    });

    test('the nonce stands in its file below the data root', { skip: target.dataRoot === undefined }, async () => {
      const { noncePath, nonce } = await reinit();
      assert.notEqual(nonce, '');
      assert.equal(await readFile(join(target.dataRoot ?? '', noncePath), 'utf8'), nonce);
    });

    test('Migrate does nothing when there is nothing to move', async () => {
      await control().migrate({});
      assert.deepEqual((await control().migrate({})).moved, []);
    });
  });

  const current = () => ({ layers, control: control(), reinit });
  sealedSuite(target, current);
  writableSuite(current);
  mountSuite(target, current);
  differenceSuite(target, current);
}
