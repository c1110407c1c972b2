import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Outcome } from '../../proto/gen/longshore/contract/v1/outcome.ts';
import { assertRepeatable } from '../common/repeats.ts';
import { newId } from '../common/session.ts';
import { refused } from '../common/wire.ts';
import { type Images, imageOf, load, loadOne, newRepository, removeAll, savedArchive } from './images.ts';

const { OUTCOME_DONE, OUTCOME_ALREADY } = Outcome;

/** How images are named and found. */
export function lookupSuite(current: () => Images): void {
  const idOf = async (reference: string) => (await current().getImage({ reference })).image?.id;

  describe('graph: references, tags and lists', () => {
    test('a reference is a tag, a repository meaning :latest, an id, or the beginning of one', async () => {
      const images = current();
      const repository = newRepository();
      const { id } = await loadOne(images, { tags: [`${repository}:latest`, `${repository}:1`] });
      const hex = id.replace('sha256:', '');
      for (const reference of [repository, `${repository}:1`, id, hex, hex.slice(0, 16)]) {
        assert.equal(await idOf(reference), id, reference);
      }
      await removeAll(images, id);
    });

    test('what names no image is NOT_FOUND, IMAGE_NOT_FOUND', async () => {
      for (const reference of [newRepository(), `sha256:${newId()}`, newId()]) {
        await refused(current().getImage({ reference }), 'NOT_FOUND', 'IMAGE_NOT_FOUND');
      }
    });

    test('what is no reference is INVALID_ARGUMENT, BAD_REFERENCE', async () => {
      for (const reference of ['', 'Upper/Case', 'a b', 'x:', ':x', 'a//b']) {
        await refused(current().getImage({ reference }), 'INVALID_ARGUMENT', 'BAD_REFERENCE');
      }
    });

    test('the beginning of several ids is INVALID_ARGUMENT, AMBIGUOUS_ID', async () => {
      const images = current();
      const layer = [{ name: 'one', body: '1' }];
      const first = imageOf([layer]);
      const prefix = first.id.slice(7, 9);
      let second = imageOf([layer]);
      while (second.id.slice(7, 9) !== prefix) second = imageOf([layer]);
      await load(images, savedArchive([first, second]));
      await refused(images.getImage({ reference: prefix }), 'INVALID_ARGUMENT', 'AMBIGUOUS_ID');
      await removeAll(images, first.id, second.id);
    });

    test('TagImage gives one more name; repeated it is ALREADY', async () => {
      const images = current();
      const [repository, { id }] = [newRepository(), await loadOne(images)];
      const tagged = await images.tagImage({ source: id, repository });
      assert.deepEqual([tagged.outcome, tagged.imageId], [OUTCOME_DONE, id]);
      assert.equal((await images.tagImage({ source: id, repository, tag: 'latest' })).outcome, OUTCOME_ALREADY);
      assert.deepEqual((await images.getImage({ reference: id })).image?.tags, [`${repository}:latest`]);
      await removeAll(images, id);
    });

    test('TagImage moves the tag when another image has it', async () => {
      const images = current();
      const [repository, one, two] = [newRepository(), await loadOne(images), await loadOne(images)];
      await images.tagImage({ source: one.id, repository });
      assert.equal((await images.tagImage({ source: two.id, repository })).outcome, OUTCOME_DONE);
      assert.equal(await idOf(repository), two.id);
      assert.deepEqual((await images.getImage({ reference: one.id })).image?.tags, []);
      await removeAll(images, one.id, two.id);
    });

    test('TagImage of no image is IMAGE_NOT_FOUND; with no name it is BAD_REFERENCE', async () => {
      const images = current();
      const missing = { source: newRepository(), repository: newRepository() };
      await refused(images.tagImage(missing), 'NOT_FOUND', 'IMAGE_NOT_FOUND');
      const { id } = await loadOne(images);
      for (const [repository, tag] of [
        ['Upper', '1'],
        ['fine', 'not fine'],
      ] as const) {
        await refused(images.tagImage({ source: id, repository, tag }), 'INVALID_ARGUMENT', 'BAD_REFERENCE');
      }
      await removeAll(images, id);
    });

    test('a repeat by request id gets the same answer; the id with another request is REQUEST_ID_REUSED', async () => {
      const images = current();
      const { id } = await loadOne(images);
      const [one, other] = [newRepository(), newRepository()];
      const request = { source: id, repository: one };
      const tagged = await assertRepeatable(images.tagImage, request, { ...request, repository: other });
      assert.equal(tagged.outcome, OUTCOME_DONE);
      const holder = newId();
      const acquired = await assertRepeatable(
        images.acquireImage,
        { reference: id, holder },
        { reference: one, holder },
      );
      assert.equal(acquired.outcome, OUTCOME_DONE);
      const released = await assertRepeatable(images.releaseImage, { id, holder }, { id: '', holder });
      assert.equal(released.outcome, OUTCOME_DONE);
      const removed = await assertRepeatable(images.removeImage, { reference: id }, { reference: id, force: true });
      assert.equal(removed.deleted[0], id);
    });

    test('ListImages gives each once, by patterns of names, labels and whether it has a tag', async () => {
      const images = current();
      const [repository, group] = [newRepository(), newId()];
      const run = { Labels: { group, kind: 'x' } };
      const tagged = await loadOne(images, { tags: [`${repository}:1`, `${repository}:2`], run });
      const untagged = await loadOne(images, { run });
      const list = async (request: Parameters<typeof images.listImages>[0]) =>
        (await Array.fromAsync(images.listImages(request))).map(({ image }) => image?.id);
      const all = await list({});
      for (const { id } of [tagged, untagged]) assert.equal(all.filter((each) => each === id).length, 1);
      for (const pattern of [repository, `${repository}:2`, `${repository.slice(0, -3)}*`, `conformance/*:1`]) {
        assert((await list({ references: [pattern] })).includes(tagged.id), pattern);
      }
      assert.deepEqual(await list({ references: [`${repository}:3`] }), []);
      assert.deepEqual((await list({ labels: { group } })).toSorted(), [tagged.id, untagged.id].toSorted());
      assert.deepEqual((await list({ labels: { group: '' } })).includes(tagged.id), true);
      assert.deepEqual(await list({ labels: { group, kind: 'y' } }), []);
      assert.deepEqual(await list({ labels: { group }, dangling: true }), [untagged.id]);
      assert.deepEqual(await list({ labels: { group }, dangling: false }), [tagged.id]);
      await removeAll(images, tagged.id, untagged.id);
    });
  });
}
