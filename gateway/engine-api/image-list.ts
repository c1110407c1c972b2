import type { PeerClient } from '../../kit/rpc/dial.ts';
import type { Image, ImageServiceDefinition } from '../../proto/gen/longshore/graph/v1/image.ts';
import type { Exchange } from './exchange.ts';
import { labelMap, truthFilter } from './query.ts';
import { parseRfc3339 } from './times.ts';

export type Images = PeerClient<typeof ImageServiceDefinition>;

/** The images of `docker images`, newest first. */
export async function listImages({ query, signal }: Exchange, images: Images): Promise<Image[]> {
  const filters = query.filters(['reference', 'label', 'dangling', 'before', 'since']);
  const createdOf = async (reference: string) => createdNs((await images.getImage({ reference })).image);
  const [before, since] = await Promise.all(
    ['before', 'since'].map((key) => Promise.all((filters[key] ?? []).map(createdOf))),
  );
  const listed = await Array.fromAsync(
    images.listImages(
      {
        references: filters.reference ?? [],
        labels: labelMap(filters.label),
        dangling: truthFilter('dangling', filters.dangling),
      },
      { signal },
    ),
  );
  return listed
    .flatMap(({ image }) => (image === undefined ? [] : [{ image, created: createdNs(image) }]))
    .filter(
      ({ created }) =>
        (before ?? []).every((bound) => created < bound) && (since ?? []).every((bound) => created > bound),
    )
    .sort((one, other) => Number(other.created - one.created))
    .map(({ image }) => image);
}

const createdNs = (image: Image | undefined): bigint => parseRfc3339(image?.created ?? '') ?? 0n;
