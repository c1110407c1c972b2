import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { tarOf } from '../../fakes/archive/tar-writer.ts';
import type { ImportImageHeader } from '../../proto/gen/longshore/graph/v1/image.ts';
import { newId } from '../common/session.ts';
import { refused } from '../common/wire.ts';
import { type Images, imageOf, load, newRepository, removeAll, savedArchive } from './images.ts';

/** How images come in. */
export function intakeSuite(target: { restart?: () => Promise<void> }, current: () => Images): void {
  const base = () => [{ name: 'etc/' }, { name: 'etc/motd', body: newId() }];
  const root = tarOf([{ name: 'bin/' }, { name: 'bin/sh', body: '#!', mode: 0o755 }]);

  describe('graph: load and import', () => {
    test('LoadImages takes in what docker save wrote: config, layers and tags', async () => {
      const images = current();
      const tag = `${newRepository()}:1`;
      const run = {
        Cmd: ['sh'],
        Entrypoint: ['/entry'],
        Env: ['A=b'],
        User: 'nobody',
        WorkingDir: '/srv',
        Labels: { l: '1' },
        ExposedPorts: { '80/tcp': {} },
        Volumes: { '/data': {} },
        StopSignal: 'SIGINT',
      };
      const image = imageOf([base(), [{ name: 'top', body: '12345' }]], { tags: [tag], run });
      const [loaded, ...others] = await load(images, savedArchive([image]));
      assert.deepEqual(others, []);
      assert.deepEqual([loaded?.id, loaded?.tags, loaded?.takenFrom], [image.id, [tag], {}]);

      const { image: got } = await images.getImage({ reference: tag, withConfigBytes: true });
      assert.equal(got?.id, image.id);
      assert.deepEqual(got.tags, [tag]);
      assert.deepEqual(got.diffIds, image.diffIds);
      assert.equal(got.topLayer, image.chainIds.at(-1));
      assert.deepEqual(Buffer.from(got.configBytes), image.config);
      assert.deepEqual([got.architecture, got.os], ['amd64', 'linux']);
      assert.equal(got.created, '2024-05-01T10:00:00.123456789Z');
      assert.equal(got.size, 64 + 5);
      assert.equal(got.history.length, 2);
      assert(got.lastTaggedAtNs > 0n);
      const { config } = got;
      assert.deepEqual(
        [config?.cmd, config?.entrypoint, config?.env, config?.user, config?.workingDir, config?.labels],
        [['sh'], ['/entry'], ['A=b'], 'nobody', '/srv', { l: '1' }],
      );
      assert.deepEqual([config?.exposedPorts, config?.volumes, config?.stopSignal], [['80/tcp'], ['/data'], 'SIGINT']);
      await removeAll(images, image.id);
    });

    test('the config bytes come only when asked for', async () => {
      const images = current();
      const image = imageOf([base()]);
      await load(images, savedArchive([image]));
      assert.equal((await images.getImage({ reference: image.id })).image?.configBytes.length, 0);
      await removeAll(images, image.id);
    });

    test('an archive may be compressed with gzip or zstd, and come in pieces of any size', async () => {
      const images = current();
      for (const compress of [gzipSync, zstdCompressSync]) {
        const image = imageOf([base()]);
        const [loaded] = await load(images, compress(savedArchive([image])), 777);
        assert.equal(loaded?.id, image.id);
        await removeAll(images, image.id);
      }
    });

    test('an archive may hold several images; each has its line', async () => {
      const images = current();
      const [one, two] = [imageOf([base()]), imageOf([base()])];
      const loaded = await load(images, savedArchive([one, two]));
      assert.deepEqual(loaded.map(({ id }) => id).toSorted(), [one.id, two.id].toSorted());
      await removeAll(images, one.id, two.id);
    });

    test('loading what is there gives the same image', async () => {
      const images = current();
      const image = imageOf([base()], { tags: [`${newRepository()}:1`] });
      await load(images, savedArchive([image]));
      const [again] = await load(images, savedArchive([image]));
      assert.deepEqual([again?.id, again?.takenFrom], [image.id, {}]);
      await removeAll(images, image.id);
    });

    test('a tag that another image had moves, and the line says from which', async () => {
      const images = current();
      const tag = `${newRepository()}:1`;
      const [before, now] = [imageOf([base()], { tags: [tag] }), imageOf([base()], { tags: [tag] })];
      await load(images, savedArchive([before]));
      const [loaded] = await load(images, savedArchive([now]));
      assert.deepEqual(loaded?.takenFrom, { [tag]: before.id });
      assert.deepEqual((await images.getImage({ reference: before.id })).image?.tags, []);
      await removeAll(images, before.id, now.id);
    });

    test('what is no archive is INVALID_ARGUMENT, BAD_ARCHIVE', async () => {
      await refused(load(current(), Buffer.alloc(4096, 'x')), 'INVALID_ARGUMENT', 'BAD_ARCHIVE');
      await refused(load(current(), tarOf([{ name: 'other', body: '1' }])), 'INVALID_ARGUMENT', 'BAD_ARCHIVE');
    });

    test('a layer that is not what the config says is BAD_ARCHIVE, and there is no image', async () => {
      const images = current();
      const [image, other] = [imageOf([base()]), imageOf([base()])];
      const wrong = savedArchive([{ ...image, layers: other.layers }]);
      await refused(load(images, wrong), 'INVALID_ARGUMENT', 'BAD_ARCHIVE');
      await refused(images.getImage({ reference: image.id }), 'NOT_FOUND', 'IMAGE_NOT_FOUND');
    });

    test('images that were finished before an error stay', async () => {
      const images = current();
      const [good, bad, other] = [imageOf([base()]), imageOf([base()]), imageOf([base()])];
      const archive = savedArchive([good, { ...bad, layers: other.layers }]);
      await refused(load(images, archive), 'INVALID_ARGUMENT');
      assert.equal((await images.getImage({ reference: good.id })).image?.id, good.id);
      await removeAll(images, good.id);
    });

    const importRoot = async (header: Partial<ImportImageHeader>, archive: Buffer): Promise<string> => {
      async function* frames() {
        yield { frame: { $case: 'header', value: header } } as const;
        for (let at = 0; at < archive.length; at += 700) {
          yield { frame: { $case: 'chunk', value: archive.subarray(at, at + 700) } } as const;
        }
      }
      const events = (await Array.fromAsync(current().importImage(frames()))).map(({ event }) => event);
      const last = events.at(-1);
      assert(last?.$case === 'imageId', "the last message is the image's id");
      return last.value;
    };

    test('ImportImage makes an image of one layer, with its changes and its tag', async () => {
      const images = current();
      const repository = newRepository();
      const changes = ['CMD ["sh"]', 'ENV A=b', 'WORKDIR /srv'];
      const id = await importRoot({ repository, tag: '2', message: 'made', changes, platform: 'linux/arm64' }, root);
      const { image } = await images.getImage({ reference: `${repository}:2` });
      assert.deepEqual([image?.id, image?.comment, image?.os, image?.architecture], [id, 'made', 'linux', 'arm64']);
      assert.equal(image?.diffIds.length, 1);
      assert.deepEqual([image.config?.cmd, image.config?.env, image.config?.workingDir], [['sh'], ['A=b'], '/srv']);
      await removeAll(images, id);
    });

    test('an import may be compressed, and without a tag', async () => {
      const images = current();
      const id = await importRoot({}, gzipSync(root));
      assert.deepEqual((await images.getImage({ reference: id })).image?.tags, []);
      await removeAll(images, id);
    });

    test('an import of what is no archive is INVALID_ARGUMENT', async () => {
      await refused(importRoot({}, Buffer.alloc(4096, 'x')), 'INVALID_ARGUMENT');
    });

    test('a first frame of an import that is no header is INVALID_ARGUMENT', async () => {
      async function* headless() {
        yield { frame: { $case: 'chunk', value: root } } as const;
      }
      await refused(current().importImage(headless()), 'INVALID_ARGUMENT');
    });

    test('images and tags are there after a restart', { skip: target.restart === undefined }, async () => {
      const images = current();
      const image = imageOf([base()], { tags: [`${newRepository()}:1`] });
      await load(images, savedArchive([image]));
      const before = await images.getImage({ reference: image.id });
      await target.restart?.();
      assert.deepEqual(await images.getImage({ reference: image.tags[0] ?? '' }), before);
      await removeAll(images, image.id);
    });
  });
}
