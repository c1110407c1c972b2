import type { Graph } from './graph.ts';
import { matchesTag } from './pattern.ts';
import type { Image } from './records/images.ts';

/** An image as it is at present. */
export interface ImageView {
  image: Image;
  tags: readonly string[];
  holders: readonly string[];
  /** Microseconds since 1970; 0: never. */
  lastTaggedUs: number;
}

export interface ImageFilter {
  references: readonly string[];
  labels: Readonly<Record<string, string>>;
  dangling?: boolean | undefined;
}

export function viewOf(graph: Graph, image: Image): ImageView {
  return {
    image,
    tags: graph.tags.of(image),
    holders: graph.holders.of(image),
    lastTaggedUs: graph.images.lastTagged(image),
  };
}

/** All images that pass the filter; where it asks for names, only the tags that match are shown. */
export function* listImages(graph: Graph, filter: ImageFilter): Generator<ImageView, void> {
  for (const image of graph.images.all()) {
    if (!hasLabels(image, filter.labels)) continue;
    const view = viewOf(graph, image);
    if (filter.dangling !== undefined && filter.dangling !== (view.tags.length === 0)) continue;
    if (filter.references.length === 0) {
      yield view;
      continue;
    }
    const tags = view.tags.filter((tag) => filter.references.some((pattern) => matchesTag(pattern, tag)));
    if (tags.length > 0) yield { ...view, tags };
  }
}

function hasLabels(image: Image, wanted: Readonly<Record<string, string>>): boolean {
  const labels = image.file.config?.Labels ?? {};
  return Object.entries(wanted).every(
    ([key, value]) => Object.hasOwn(labels, key) && (value === '' || labels[key] === value),
  );
}
