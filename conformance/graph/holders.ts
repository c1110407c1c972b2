import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Outcome } from '../../proto/gen/longshore/contract/v1/outcome.ts';
import { newId } from '../common/session.ts';
import { refused } from '../common/wire.ts';
import { type Images, loadOne, newRepository, removeAll } from './images.ts';

const { OUTCOME_DONE, OUTCOME_ALREADY, OUTCOME_ABSENT } = Outcome;

/** Who uses an image. */
export function holderSuite(current: () => Images): void {
  const holdersOf = async (reference: string) => (await current().getImage({ reference })).image?.holders.toSorted();

  describe('graph: holders', () => {
    test('AcquireImage finds the image and records its holder; repeated it is ALREADY', async () => {
      const images = current();
      const [{ id }, holder] = [await loadOne(images), newId()];
      const acquired = await images.acquireImage({ reference: id, holder });
      assert.deepEqual([acquired.outcome, acquired.image?.id], [OUTCOME_DONE, id]);
      assert.equal((await images.acquireImage({ reference: id, holder })).outcome, OUTCOME_ALREADY);
      assert.deepEqual(await holdersOf(id), [holder]);
      await images.releaseImage({ id, holder });
      await removeAll(images, id);
    });

    test('AcquireImage of no image is NOT_FOUND, IMAGE_NOT_FOUND', async () => {
      const wanted = current().acquireImage({ reference: newRepository(), holder: newId() });
      await refused(wanted, 'NOT_FOUND', 'IMAGE_NOT_FOUND');
    });

    test('ReleaseImage ends that; it is ABSENT for who did not use it', async () => {
      const images = current();
      const [{ id }, holder] = [await loadOne(images), newId()];
      await images.acquireImage({ reference: id, holder });
      assert.equal((await images.releaseImage({ id, holder })).outcome, OUTCOME_DONE);
      assert.equal((await images.releaseImage({ id, holder })).outcome, OUTCOME_ABSENT);
      assert.deepEqual(await holdersOf(id), []);
      await removeAll(images, id);
    });

    test('ReleaseImage without an id releases whichever image the holder has', async () => {
      const images = current();
      const [{ id }, holder] = [await loadOne(images), newId()];
      await images.acquireImage({ reference: id, holder });
      assert.equal((await images.releaseImage({ holder })).outcome, OUTCOME_DONE);
      assert.deepEqual(await holdersOf(id), []);
      await removeAll(images, id);
    });

    test('ReconcileHolders makes the set of holders exactly the one given, and says who was dropped', async () => {
      const images = current();
      const [{ id }, kept, gone, added] = [await loadOne(images), newId(), newId(), newId()];
      for (const holder of [kept, gone]) await images.acquireImage({ reference: id, holder });
      const holdings = [kept, added].map((holder) => ({ holder, imageId: id }));
      assert.deepEqual((await images.reconcileHolders({ holdings })).released, [gone]);
      assert.deepEqual(await holdersOf(id), [kept, added].toSorted());
      await images.reconcileHolders({ holdings: [] });
      assert.deepEqual(await holdersOf(id), []);
      await removeAll(images, id);
    });
  });
}
