import { Outcome } from '../../proto/gen/longshore/contract/v1/outcome.ts';
import {
  AcquireImageRequest,
  AcquireImageResponse,
  type ImageServiceImplementation,
  type ImportImageRequest,
  type ListImagesRequest,
  ReconcileHoldersRequest,
  ReconcileHoldersResponse,
  ReleaseImageRequest,
  ReleaseImageResponse,
  RemoveImageRequest,
  RemoveImageResponse,
  TagImageRequest,
  TagImageResponse,
} from '../../proto/gen/longshore/graph/v1/image.ts';
import { isStillThere } from '../controlled.ts';
import type { Life } from '../fake.ts';
import { repeatable } from '../repeatable.ts';
import { errors } from './errors.ts';
import type { ImageMemory, ImageStore, StoredImage } from './images.ts';
import type { Intake } from './intake.ts';
import type { LayerClient } from './layer-client.ts';
import { imageMessage } from './messages.ts';
import { removeImage } from './removal.ts';

const { OUTCOME_DONE, OUTCOME_ALREADY, OUTCOME_ABSENT } = Outcome;

export function imageService(parts: {
  life: Life<ImageMemory>;
  store: ImageStore;
  intake: Intake;
  layers: () => LayerClient | undefined;
  needInit: () => unknown;
}): ImageServiceImplementation {
  const { store, intake, layers, needInit } = parts;
  const { records } = parts.life;
  const message = (image: StoredImage) => imageMessage(image, { withConfigBytes: false });
  return {
    async getImage({ reference, withConfigBytes }) {
      needInit();
      return { image: imageMessage(store.find(reference).image, { withConfigBytes }) };
    },
    acquireImage: repeatable(records, AcquireImageRequest, AcquireImageResponse, ({ reference, holder }) => {
      needInit();
      checkHolder(holder);
      const { image, isNew } = store.acquire(reference, holder);
      return { outcome: isNew ? OUTCOME_DONE : OUTCOME_ALREADY, image: message(image) };
    }),
    releaseImage: repeatable(records, ReleaseImageRequest, ReleaseImageResponse, ({ id, holder }) => {
      needInit();
      checkHolder(holder);
      return { outcome: store.release(id, holder) ? OUTCOME_DONE : OUTCOME_ABSENT };
    }),
    reconcileHolders: repeatable(records, ReconcileHoldersRequest, ReconcileHoldersResponse, ({ holdings }) => {
      needInit();
      return { released: store.reconcile(holdings) };
    }),
    async *listImages(filter) {
      needInit();
      for (const image of store.all()) if (matches(image, filter)) yield { image: message(image) };
    },
    tagImage: repeatable(records, TagImageRequest, TagImageResponse, ({ source, repository, tag }) => {
      needInit();
      const { image, changed } = store.tag(source, repository, tag);
      return { outcome: changed ? OUTCOME_DONE : OUTCOME_ALREADY, imageId: image.id };
    }),
    removeImage: repeatable(records, RemoveImageRequest, RemoveImageResponse, async (request) => {
      needInit();
      const { untagged, deleted } = removeImage(store, request);
      for (const id of deleted.slice(1)) await layers()?.remove(id.replace('sha256:', ''));
      return { outcome: OUTCOME_DONE, untagged, deleted };
    }),
    async *loadImages(requests, { signal }) {
      needInit();
      const chunks: Buffer[] = [];
      for await (const { chunk } of requests) chunks.push(chunk);
      await isStillThere(signal);
      for await (const event of intake.load(Buffer.concat(chunks))) {
        yield 'status' in event
          ? { event: { $case: 'progress', value: event } }
          : { event: { $case: 'loaded', value: event } };
      }
    },
    async *importImage(requests, { signal }) {
      needInit();
      const { header, archive } = await received(requests);
      await isStillThere(signal);
      for await (const event of intake.importRoot(header, archive)) {
        yield typeof event === 'string'
          ? { event: { $case: 'imageId', value: event } }
          : { event: { $case: 'progress', value: event } };
      }
    },
  };
}

async function received(requests: AsyncIterable<ImportImageRequest>) {
  const [first, ...rest] = await Array.fromAsync(requests);
  const frame = first?.frame;
  if (frame?.$case !== 'header') throw errors.badRequest({ field: 'frame', problem: 'the first one is the header' });
  const chunks = rest.map(({ frame: piece }) => {
    if (piece?.$case !== 'chunk') throw errors.badRequest({ field: 'frame', problem: 'a second header' });
    return piece.value;
  });
  return { header: frame.value, archive: Buffer.concat(chunks) };
}

function matches(image: StoredImage, { references, labels, dangling }: ListImagesRequest): boolean {
  const patterns = references.map(
    (text) =>
      new RegExp(
        `^${text
          .replace(/[^\w*?/-]/g, '\\$&')
          .replaceAll('*', '[^/]*')
          .replaceAll('?', '[^/]')}(:[^:/]+)?$`,
      ),
  );
  const own = image.file.config?.Labels ?? {};
  return (
    (patterns.length === 0 || [...image.tags].some((tag) => patterns.some((pattern) => pattern.test(tag)))) &&
    Object.entries(labels).every(([key, value]) => key in own && (value === '' || own[key] === value)) &&
    (dangling === undefined || dangling === (image.tags.size === 0))
  );
}

function checkHolder(holder: string): void {
  if (holder === '') throw errors.badRequest({ field: 'holder', problem: 'is needed' });
}
