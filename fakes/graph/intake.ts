import type { ImportImageHeader, LayerProgress, LoadedImage } from '../../proto/gen/longshore/graph/v1/image.ts';
import { inflated } from '../archive/tar-reader.ts';
import { configFrom } from './changes.ts';
import { type ArchivedImage, describeImages } from './image-archive.ts';
import { chainIds, digestOf, type ImageFile, type ImageStore } from './images.ts';
import type { LayerClient } from './layer-client.ts';
import { checked, readArchive } from './reading.ts';
import { tagOf } from './reference.ts';

/** Takes images in: content first, then layers, then the image with its tags. */
export interface Intake {
  load(archive: Buffer): AsyncGenerator<LayerProgress | LoadedImage, void, undefined>;
  /** Gives the image's id last. */
  importRoot(header: ImportImageHeader, archive: Buffer): AsyncGenerator<LayerProgress | string, void, undefined>;
  add(image: ArchivedImage): Promise<LoadedImage>;
}

export function createIntake(store: ImageStore, layers: () => LayerClient | undefined): Intake {
  async function* unpack({ file, layers: archives }: ArchivedImage): AsyncGenerator<LayerProgress, void, undefined> {
    const ids = chainIds(file);
    for (const [at, archive] of archives.entries()) {
      const diffId = file.rootfs.diff_ids[at] ?? '';
      await layers()?.apply({ id: ids[at] ?? '', parent: ids[at - 1] ?? '', diffId }, archive);
      yield { layer: diffId.slice(7, 19), status: 'Loading layer', current: archive.length, total: archive.length };
    }
  }

  function record({ configBytes, file, layers: archives, tags }: ArchivedImage): LoadedImage {
    const size = archives.reduce((sum, archive) => sum + fileBytes(archive), 0);
    const image = store.add(configBytes, file, size);
    const takenFrom: Record<string, string> = {};
    for (const tag of tags) {
      const before = store.setTag(image, tag);
      if (before !== undefined && before !== image.id) takenFrom[tag] = before;
    }
    store.tell('load', image);
    return { id: image.id, tags, takenFrom };
  }

  return {
    async *load(archive) {
      for (const image of describeImages(archive)) {
        yield* unpack(image);
        yield record(image);
      }
    },
    async *importRoot(header, archive) {
      const config = configFrom(header.changes);
      const name = header.repository === '' ? undefined : tagOf(`${header.repository}:${header.tag || 'latest'}`);
      readArchive('archive', archive);
      const tar = checked('archive', () => inflated(archive));
      const [os = 'linux', architecture = 'amd64'] = header.platform === '' ? [] : header.platform.split('/');
      const created = new Date().toISOString();
      const comment = header.message === '' ? {} : { comment: header.message };
      const file: ImageFile = {
        architecture,
        os,
        created,
        config,
        ...comment,
        history: [{ created, ...comment }],
        rootfs: { type: 'layers', diff_ids: [digestOf(tar)] },
      };
      const configBytes = Buffer.from(JSON.stringify(file));
      yield* unpack({ configBytes, file, layers: [tar], tags: [] });
      const image = store.add(configBytes, file, fileBytes(tar));
      if (name !== undefined) {
        store.setTag(image, name);
        store.tell('tag', image, name);
      }
      store.tell('import', image);
      yield image.id;
    },
    async add(image) {
      for await (const _ of unpack(image));
      return record(image);
    },
  };
}

function fileBytes(archive: Buffer): number {
  return readArchive('layer', archive).reduce((sum, { body }) => sum + body.length, 0);
}
