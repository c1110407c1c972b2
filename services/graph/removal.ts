import { type Digest, shortId } from './digest.ts';
import { errors } from './errors.ts';
import type { Graph } from './graph.ts';
import { findImage } from './lookup.ts';
import type { Image } from './records/images.ts';

export interface RemovalRequest {
  reference: string;
  force: boolean;
  /** Holders whose containers run now. */
  running: ReadonlySet<string>;
}

export interface Removal {
  untagged: string[];
  /** The image's id and then the chain ids of the layers that no other image has, highest first; empty if it stays. */
  deleted: Digest[];
  /** What may be collected now: layers and blobs. */
  unused: string[];
}

/**
 * Takes away a tag, or an image, by Docker's rules; to be called in a transaction.
 *
 * By name: the tag goes. It does not when it is the last one of an image that a container uses, unless forced. With the
 * last tag the image goes too, if nobody holds it.
 * By id: an image of at most one tag goes. More tags need force; so does a stopped container, which keeps the image itself
 * all the same, without tags. A running container's image is not taken by force either.
 */
export function removeImage(graph: Graph, request: RemovalRequest): Removal {
  const { image, tag } = findImage(graph, request.reference, { evenDamaged: true });
  const holders = graph.holders.of(image);
  return tag === undefined
    ? removeById(graph, image, holders, request)
    : removeByName(graph, image, tag, holders, request);
}

function removeByName(
  graph: Graph,
  image: Image,
  tag: string,
  holders: readonly string[],
  request: RemovalRequest,
): Removal {
  const isLast = graph.tags.of(image).length === 1;
  const [holder] = holders;
  if (isLast && holder !== undefined && !request.force) throw inUse('reference', image, holder, request);
  untag(graph, image, [tag]);
  const goes = isLast && holder === undefined;
  return { untagged: [tag], ...(goes ? remove(graph, image) : nothing) };
}

function removeById(graph: Graph, image: Image, holders: readonly string[], request: RemovalRequest): Removal {
  const tags = graph.tags.of(image);
  const running = holders.find((holder) => request.running.has(holder));
  if (running !== undefined) throw inUse('running', image, running, request);
  if (!request.force) {
    if (tags.length > 1) throw errors.imageHasTags({ image: shortId(image.id) });
    const [stopped] = holders;
    if (stopped !== undefined) throw inUse('stopped', image, stopped, request);
  }
  untag(graph, image, tags);
  return { untagged: tags, ...(holders.length === 0 ? remove(graph, image) : nothing) };
}

const nothing = { deleted: [], unused: [] };

function untag(graph: Graph, image: Image, tags: readonly string[]): void {
  for (const tag of tags) {
    graph.tags.remove(tag);
    graph.events.record('untag', image);
  }
}

function remove(graph: Graph, image: Image): Omit<Removal, 'untagged'> {
  graph.images.remove(image);
  graph.events.record('delete', image);
  const highestFirst = [...image.layers].reverse();
  const gone = highestFirst.filter((layer) => !graph.images.isLayerUsed(layer.id));
  return {
    deleted: [image.id, ...gone.map((layer): Digest => `sha256:${layer.id}`)],
    unused: [...gone.map((layer) => layer.id), ...highestFirst.map((layer) => layer.blob)],
  };
}

function inUse(
  how: 'reference' | 'running' | 'stopped',
  image: Image,
  holder: string,
  { reference }: RemovalRequest,
): Error {
  return errors.imageInUse({ how, reference, image: shortId(image.id), container: shortId(holder) });
}
