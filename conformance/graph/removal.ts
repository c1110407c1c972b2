import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Outcome } from '../../proto/gen/longshore/contract/v1/outcome.ts';
import { newId } from '../common/session.ts';
import { refused } from '../common/wire.ts';
import { type Images, imageOf, load, loadOne, newRepository, removeAll, savedArchive } from './images.ts';

/** How images go: what Docker does. */
export function removalSuite(current: () => Images): void {
  const isThere = async (reference: string) => (await current().getImage({ reference })).image?.id === reference;
  const isGone = (reference: string) => refused(current().getImage({ reference }), 'NOT_FOUND', 'IMAGE_NOT_FOUND');
  const twoTags = () => {
    const repository = newRepository();
    return [`${repository}:1`, `${repository}:2`];
  };

  describe('graph: removal', () => {
    test('removing one of several tags takes only the tag', async () => {
      const images = current();
      const tags = twoTags();
      const { id } = await loadOne(images, { tags });
      const removed = await images.removeImage({ reference: tags[0] ?? '' });
      assert.equal(removed.outcome, Outcome.OUTCOME_DONE);
      assert.deepEqual([removed.untagged, removed.deleted], [[tags[0]], []]);
      assert.deepEqual((await images.getImage({ reference: id })).image?.tags, [tags[1]]);
      await removeAll(images, id);
    });

    test('with the last tag the image goes, and its layers, highest first', async () => {
      const images = current();
      const tag = `${newRepository()}:1`;
      const image = imageOf([[{ name: 'low', body: newId() }], [{ name: 'high', body: newId() }]], { tags: [tag] });
      await load(images, savedArchive([image]));
      const removed = await images.removeImage({ reference: tag });
      assert.deepEqual(removed.untagged, [tag]);
      assert.deepEqual(removed.deleted, [image.id, ...image.chainIds.toReversed().map((id) => `sha256:${id}`)]);
      await isGone(image.id);
    });

    test('layers that another image has stay', async () => {
      const images = current();
      const low = [{ name: 'low', body: newId() }];
      const one = imageOf([low, [{ name: 'high', body: newId() }]]);
      const other = imageOf([low]);
      await load(images, savedArchive([one, other]));
      const removed = await images.removeImage({ reference: one.id });
      assert.deepEqual(removed.deleted, [one.id, `sha256:${one.chainIds[1]}`]);
      assert.deepEqual((await images.removeImage({ reference: other.id })).deleted, [
        other.id,
        `sha256:${other.chainIds[0]}`,
      ]);
    });

    test('by id an image with one tag goes, with its tag', async () => {
      const images = current();
      const tag = `${newRepository()}:1`;
      const { id } = await loadOne(images, { tags: [tag] });
      const removed = await images.removeImage({ reference: id });
      assert.deepEqual([removed.untagged, removed.deleted[0]], [[tag], id]);
      await isGone(id);
    });

    test('by id with several tags needs force: FAILED_PRECONDITION, IMAGE_HAS_TAGS', async () => {
      const images = current();
      const tags = twoTags();
      const { id } = await loadOne(images, { tags });
      await refused(images.removeImage({ reference: id }), 'FAILED_PRECONDITION', 'IMAGE_HAS_TAGS');
      const removed = await images.removeImage({ reference: id, force: true });
      assert.deepEqual([removed.untagged.toSorted(), removed.deleted[0]], [tags, id]);
    });

    test('what is used by a container is not removed: FAILED_PRECONDITION, IMAGE_IN_USE', async () => {
      const images = current();
      const tag = `${newRepository()}:1`;
      const [{ id }, holder] = [await loadOne(images, { tags: [tag] }), newId()];
      await images.acquireImage({ reference: id, holder });
      for (const reference of [tag, id]) {
        await refused(images.removeImage({ reference }), 'FAILED_PRECONDITION', 'IMAGE_IN_USE');
      }
      await images.releaseImage({ id, holder });
      await removeAll(images, id);
    });

    test("with force by id of a stopped container's image only the tags go", async () => {
      const images = current();
      const tag = `${newRepository()}:1`;
      const [{ id }, holder] = [await loadOne(images, { tags: [tag] }), newId()];
      await images.acquireImage({ reference: id, holder });
      const removed = await images.removeImage({ reference: id, force: true });
      assert.deepEqual([removed.untagged, removed.deleted], [[tag], []]);
      assert.equal(await isThere(id), true);
      await images.releaseImage({ id, holder });
      await removeAll(images, id);
    });

    test('force does not take an image from a running container', async () => {
      const images = current();
      const [{ id }, holder] = [await loadOne(images), newId()];
      await images.acquireImage({ reference: id, holder });
      const forced = images.removeImage({ reference: id, force: true, runningHolders: [holder] });
      await refused(forced, 'FAILED_PRECONDITION', 'IMAGE_IN_USE');
      await images.releaseImage({ id, holder });
      await removeAll(images, id);
    });
  });
}
