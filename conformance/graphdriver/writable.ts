import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Outcome } from '../../proto/gen/longshore/contract/v1/outcome.ts';
import { assertRepeatable } from '../common/repeats.ts';
import { newId } from '../common/session.ts';
import { refused } from '../common/wire.ts';
import { apply, baseEntries, removeAll } from './archives.ts';
import type { Current } from './current.ts';

const { OUTCOME_DONE, OUTCOME_ALREADY, OUTCOME_ABSENT } = Outcome;

/** Containers' layers, and the end of layers. */
export function writableSuite(current: Current): void {
  describe('graphdriver: writable layers and removal', () => {
    test('CreateLayer makes an empty writable layer; repeated it is ALREADY', async () => {
      const { layers } = current();
      const [parent, id] = [await apply(layers, baseEntries), newId()];
      const request = { id, parent, labels: { a: 'b' } };
      assert.equal((await layers.createLayer(request)).outcome, OUTCOME_DONE);
      assert.equal((await layers.createLayer(request)).outcome, OUTCOME_ALREADY);
      const { layer } = await layers.getLayer({ id, measure: true });
      assert.deepEqual(
        [layer?.parent, layer?.writable, layer?.diffId, layer?.size, layer?.labels],
        [parent, true, '', 0, { a: 'b' }],
      );
      await removeAll(layers, id, parent);
    });

    test('a writable layer may stand on nothing', async () => {
      const { layers } = current();
      const id = newId();
      assert.equal((await layers.createLayer({ id })).outcome, OUTCOME_DONE);
      await removeAll(layers, id);
    });

    test('creating what exists with another parent is refused', async () => {
      const { layers } = current();
      const [parent, id] = [await apply(layers, baseEntries), newId()];
      await layers.createLayer({ id });
      await refused(layers.createLayer({ id, parent }), 'ALREADY_EXISTS');
      await removeAll(layers, id, parent);
    });

    test('a parent that is not there is NOT_FOUND, LAYER_NOT_FOUND; one that is not sealed is refused', async () => {
      const { layers } = current();
      await refused(layers.createLayer({ id: newId(), parent: newId() }), 'NOT_FOUND', 'LAYER_NOT_FOUND');
      const id = newId();
      await layers.createLayer({ id });
      await assert.rejects(layers.createLayer({ id: newId(), parent: id }));
      await removeAll(layers, id);
    });

    test('a storage option that is not known is INVALID_ARGUMENT, BAD_OPTION, and nothing is made', async () => {
      const { layers } = current();
      const id = newId();
      const storageOptions = { 'no-such-option': '1' };
      await refused(layers.createLayer({ id, storageOptions }), 'INVALID_ARGUMENT', 'BAD_OPTION');
      await refused(layers.getLayer({ id }), 'NOT_FOUND', 'LAYER_NOT_FOUND');
    });

    test('a repeat by request id gets the same answer; the id with another request is REQUEST_ID_REUSED', async () => {
      const { layers } = current();
      const id = newId();
      const created = await assertRepeatable(layers.createLayer, { id }, { id: newId() });
      assert.equal(created.outcome, OUTCOME_DONE);
      const [holder, other] = [newId(), newId()];
      const mounted = await assertRepeatable(layers.mountLayer, { id, holder }, { id, holder: other });
      assert.equal(mounted.outcome, OUTCOME_DONE);
      const unmounted = await assertRepeatable(layers.unmountLayer, { id, holder }, { id, holder: other });
      assert.equal(unmounted.outcome, OUTCOME_DONE);
      const removed = await assertRepeatable(layers.removeLayer, { id }, { id: newId() });
      assert.equal(removed.outcome, OUTCOME_DONE);
    });

    test('ListLayers gives writable ones alone when asked', async () => {
      const { layers } = current();
      const [parent, id] = [await apply(layers, baseEntries), newId()];
      await layers.createLayer({ id, parent });
      const listed = await Array.fromAsync(layers.listLayers({ writableOnly: true }));
      const ids = listed.map(({ layer }) => layer?.id);
      assert(ids.includes(id));
      assert(!ids.includes(parent));
      await removeAll(layers, id, parent);
    });

    test('removing what is gone is ABSENT', async () => {
      const { layers } = current();
      const id = newId();
      assert.equal((await layers.removeLayer({ id })).outcome, OUTCOME_ABSENT);
      await layers.createLayer({ id });
      assert.equal((await layers.removeLayer({ id })).outcome, OUTCOME_DONE);
      assert.equal((await layers.removeLayer({ id })).outcome, OUTCOME_ABSENT);
      await refused(layers.getLayer({ id }), 'NOT_FOUND', 'LAYER_NOT_FOUND');
    });

    test("a layer that is another's parent is not removed: FAILED_PRECONDITION, LAYER_IN_USE, naming that", async () => {
      const { layers } = current();
      const [parent, id] = [await apply(layers, baseEntries), newId()];
      await layers.createLayer({ id, parent });
      const refusal = await refused(layers.removeLayer({ id: parent }), 'FAILED_PRECONDITION', 'LAYER_IN_USE');
      assert.match(JSON.stringify([refusal.message, refusal.metadata]), new RegExp(id));
      await removeAll(layers, id, parent);
    });
  });
}
