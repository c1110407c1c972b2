import { isServiceError } from '../../../kit/errors.ts';
import type { Image } from '../../../proto/gen/longshore/graph/v1/image.ts';
import type { Lifecycle } from './lifecycle.ts';
import type { ContainerRecord } from './record.ts';

/** Whether a container's image is one of these, or was made on top of one: its lowest layers are that image's. */
export async function ancestry(
  lifecycle: Lifecycle,
  references: readonly string[],
): Promise<(record: ContainerRecord) => boolean> {
  const { images } = lifecycle.engine.clients.graph;
  const ancestors = (await Promise.all(references.map((reference) => imageOf(lifecycle, reference)))).filter(
    (image) => image !== undefined,
  );
  const matching = new Set(ancestors.map(({ id }) => id));
  for await (const { image } of images.listImages({})) {
    if (image !== undefined && ancestors.some((ancestor) => isBelow(ancestor, image))) matching.add(image.id);
  }
  return ({ imageId, config }) => matching.has(imageId) || references.includes(config.image);
}

async function imageOf(lifecycle: Lifecycle, reference: string): Promise<Image | undefined> {
  try {
    return (await lifecycle.engine.clients.graph.images.getImage({ reference })).image;
  } catch (error) {
    // An image that is gone may still be the one that a container names.
    if (isServiceError(error) && error.code !== 'UNAVAILABLE') return undefined;
    throw error;
  }
}

function isBelow(ancestor: Image, image: Image): boolean {
  const { length } = ancestor.diffIds;
  // Of two with the same layers neither is known to be made on top of the other.
  return (
    length > 0 && length < image.diffIds.length && ancestor.diffIds.every((layer, at) => image.diffIds[at] === layer)
  );
}
