import { isDigest } from './digest.ts';
import { errors } from './errors.ts';
import type { Graph } from './graph.ts';
import { findImage } from './lookup.ts';
import type { Image } from './records/images.ts';

/** Finds an image and records that `holder` uses it; `isNew` is false when it did. To be called in a transaction. */
export function acquireImage(graph: Graph, reference: string, holder: string): { image: Image; isNew: boolean } {
  checkHolder(holder);
  const { image } = findImage(graph, reference);
  return { image, isNew: graph.holders.add(holder, image) };
}

/** False when the holder did not use it. An empty id: whatever it uses. */
export function releaseImage(graph: Graph, id: string, holder: string): boolean {
  checkHolder(holder);
  if (id === '') return graph.holders.remove(holder);
  const image = imageOf(graph, id);
  return image !== undefined && graph.holders.remove(holder, image);
}

/** Makes these the only holders; gives those that were dropped. A holding of an image that is not there counts for nothing. */
export function reconcileHolders(graph: Graph, holdings: readonly { holder: string; imageId: string }[]): string[] {
  const known = holdings.flatMap(({ holder, imageId }) => {
    checkHolder(holder);
    const image = imageOf(graph, imageId);
    return image === undefined ? [] : [{ holder, image }];
  });
  return graph.holders.replaceAll(known);
}

function imageOf(graph: Graph, id: string): Image | undefined {
  const digest = id.startsWith('sha256:') ? id : `sha256:${id}`;
  return isDigest(digest) ? graph.images.findAny(digest) : undefined;
}

function checkHolder(holder: string): void {
  if (holder === '' || holder.length > 256) throw errors.badRequest({ field: 'holder', problem: 'is needed' });
}
