import { dirname } from 'node:path';
import { requireSpace } from '../../kit/disk-space.ts';
import { spool } from './archive/archive.ts';
import { type ArchivedImage, describeImages } from './archive/image-archive.ts';
import type { Digest } from './digest.ts';
import { earlyLayers } from './early-layers.ts';
import type { Graph } from './graph.ts';
import { interruptible, type Progress } from './progress.ts';
import type { ImageLayer } from './records/images.ts';
import { setTag } from './tagging.ts';
import { unpack } from './unpack.ts';

export interface Loaded {
  kind: 'loaded';
  id: Digest;
  tags: readonly string[];
  /** Tags that other images had until now, and which. */
  takenFrom: ReadonlyMap<string, Digest>;
}

export type LoadEvent = Progress | Loaded;

/**
 * Takes in the images of an archive. Content first, layers beside it and behind it, then one transaction for each image with its
 * tags: a crash or an error leaves whole images, and what belongs to none of them is removed. BAD_ARCHIVE.
 */
export async function* loadImages(
  graph: Graph,
  source: AsyncIterable<Uint8Array>,
  cancelled: AbortSignal,
): AsyncGenerator<LoadEvent, void> {
  const signal = AbortSignal.any([cancelled, graph.closing]);
  requireSpace(dirname(graph.records.path));
  const lease = graph.leases.open();
  const early = earlyLayers(graph, lease, signal);
  try {
    const archive = yield* spool(interruptible(source, signal), graph.content, lease, early.came);
    early.close();
    for (const image of await describeImages(archive)) {
      const layers = yield* unpack(graph, image.layers, lease, signal, early);
      signal.throwIfAborted();
      const loaded = record(graph, image, layers);
      await graph.records.synced();
      yield loaded;
    }
  } finally {
    await early.end();
    await graph.garbage.collect(await lease.release());
  }
}

function record(graph: Graph, archived: ArchivedImage, layers: readonly ImageLayer[]): Loaded {
  const loaded = graph.records.transaction(() => {
    const image = graph.images.add({ id: archived.id, config: archived.config, layers });
    const takenFrom = new Map<string, Digest>();
    for (const tag of archived.tags) {
      const before = setTag(graph, tag, image);
      if (before !== undefined && before !== image.id) takenFrom.set(tag, before);
    }
    graph.events.record('load', image);
    return { kind: 'loaded' as const, id: image.id, tags: archived.tags, takenFrom };
  });
  graph.events.publish();
  return loaded;
}
