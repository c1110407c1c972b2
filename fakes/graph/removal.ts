import { errors } from './errors.ts';
import { chainIds, type ImageStore, type StoredImage } from './images.ts';

export interface Removal {
  untagged: string[];
  /** The image's id and the chain ids of the layers that go with it, highest first; empty: it stays. */
  deleted: string[];
}

/** Takes away a tag, and with the last one the image; or the image by its id. As Docker does. */
export function removeImage(
  store: ImageStore,
  request: { reference: string; force: boolean; runningHolders: readonly string[] },
): Removal {
  const { image, tag } = store.find(request.reference);
  const [holder] = image.holders;
  const refuse = (how: 'reference' | 'running' | 'stopped', container: string) =>
    errors.imageInUse({ image: image.id.slice(7, 19), container: container.slice(0, 12), how });

  if (tag !== undefined) {
    const isLast = image.tags.size === 1;
    if (isLast && holder !== undefined && !request.force) throw refuse('reference', holder);
    untag(store, image, [tag]);
    return { untagged: [tag], deleted: isLast && holder === undefined ? remove(store, image) : [] };
  }

  const running = [...image.holders].find((each) => request.runningHolders.includes(each));
  if (running !== undefined) throw refuse('running', running);
  if (!request.force && image.tags.size > 1) throw errors.imageHasTags({ image: image.id.slice(7, 19) });
  if (!request.force && holder !== undefined) throw refuse('stopped', holder);
  const tags = [...image.tags].sort();
  untag(store, image, tags);
  return { untagged: tags, deleted: holder === undefined ? remove(store, image) : [] };
}

function untag(store: ImageStore, image: StoredImage, tags: readonly string[]): void {
  for (const tag of tags) {
    image.tags.delete(tag);
    store.tell('untag', image, tag);
  }
}

function remove(store: ImageStore, image: StoredImage): string[] {
  store.forget(image);
  store.tell('delete', image);
  const stillUsed = new Set(store.all().flatMap(({ file }) => chainIds(file)));
  const unused = chainIds(image.file).filter((id) => !stillUsed.has(id));
  return [image.id, ...unused.reverse().map((id) => `sha256:${id}`)];
}
