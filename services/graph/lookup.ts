import type { Digest } from './digest.ts';
import { errors, imageNotFound } from './errors.ts';
import type { Graph } from './graph.ts';
import type { Image } from './records/images.ts';
import { type NameReference, parseReference, referenceText, repositoryOf } from './reference.ts';

/** An image, and the tag by which it was found; none when it was found by its id. */
export interface Found {
  image: Image;
  tag?: string;
}

/**
 * Finds the image that a user means: a whole id, else a tag, else an unambiguous prefix of an id.
 * IMAGE_NOT_FOUND, BAD_REFERENCE, AMBIGUOUS_ID. `evenDamaged`: also an image that is not shown since layers of it are gone.
 */
export function findImage(graph: Graph, text: string, options: { evenDamaged?: boolean } = {}): Found {
  const reference = parseReference(text);
  const byId = (id: Digest) => (options.evenDamaged === true ? graph.images.findAny(id) : graph.images.find(id));
  if (reference.kind === 'id') {
    const image = byId(reference.id);
    if (image !== undefined) return { image };
  } else {
    const tagged = byTag(graph, reference, byId);
    if (tagged !== undefined) return tagged;
    const image = byPrefix(graph, text, byId);
    if (image !== undefined) return { image };
  }
  throw imageNotFound(referenceText(reference));
}

function byTag(graph: Graph, name: NameReference, byId: (id: Digest) => Image | undefined): Found | undefined {
  if (name.digest !== undefined) {
    const image = byId(name.digest);
    const isNamedSo = image !== undefined && graph.tags.of(image).some((tag) => repositoryOf(tag) === name.repository);
    return isNamedSo ? { image } : undefined;
  }
  const tag = referenceText(name);
  const id = graph.tags.find(tag);
  const image = id === undefined ? undefined : byId(id);
  return image === undefined ? undefined : { image, tag };
}

/** `sha256:` may stand before a prefix as before a whole id. */
function byPrefix(graph: Graph, text: string, byId: (id: Digest) => Image | undefined): Image | undefined {
  const prefix = /^(?:sha256:)?([0-9a-f]{1,63})$/.exec(text)?.[1];
  if (prefix === undefined) return undefined;
  const found = graph.images.withPrefix(prefix).flatMap((id) => byId(id) ?? []);
  if (found.length > 1) throw errors.ambiguousId({ prefix });
  return found[0];
}
