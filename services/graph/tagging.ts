import type { Digest } from './digest.ts';
import type { Graph } from './graph.ts';
import { findImage } from './lookup.ts';
import type { Image } from './records/images.ts';
import { tagName } from './reference.ts';

/** Gives an image one more name. `changed` is false when it had it. To be called in a transaction. */
export function tagImage(
  graph: Graph,
  request: { source: string; repository: string; tag: string },
): { image: Image; changed: boolean } {
  const name = tagName(request.repository, request.tag);
  const { image } = findImage(graph, request.source);
  const before = setTag(graph, name, image);
  graph.events.record('tag', image, name);
  return { image, changed: before !== image.id };
}

/** Sets a tag; gives the id of the image that had it. */
export function setTag(graph: Graph, name: string, image: Image): Digest | undefined {
  const before = graph.tags.find(name);
  graph.tags.set(name, image);
  graph.images.touch(image, Date.now() * 1000);
  return before;
}
