import type { Logger } from '../../kit/log.ts';
import type { Records } from '../../kit/records.ts';
import type { ContentStore } from './content.ts';
import { type Garbage, unusedLayers } from './garbage.ts';
import type { Layers } from './layers.ts';
import type { Leases } from './leases.ts';
import type { EventLog } from './records/events.ts';
import type { HolderStore } from './records/holders.ts';
import type { ImageStore } from './records/images.ts';
import type { TagStore } from './records/tags.ts';

/** What lives as long as the process: whatever the driver, blobs are blobs. */
export interface Ground {
  records: Records;
  content: ContentStore;
  leases: Leases;
  events: EventLog;
  log: Logger;
}

/** The image store of one driver, open. */
export interface Graph extends Ground {
  driver: string;
  images: ImageStore;
  tags: TagStore;
  holders: HolderStore;
  layers: Layers;
  garbage: Garbage;
  /** Aborted when the store closes. */
  closing: AbortSignal;
}

type Reconciled = Pick<Graph, 'images' | 'layers' | 'garbage' | 'log'>;

/**
 * Brings images and layers in line: an image whose layers are gone is not shown, and a layer of ours without an image is
 * removed, unless something that is being loaded holds it.
 */
export async function reconcileLayers({ images, layers, garbage, log }: Reconciled): Promise<void> {
  const listed = await layers.list();
  for (const image of images.hideWithout(new Set(listed.map((layer) => layer.id)))) {
    log.warn({ image }, 'layers of this image are gone, so it is not shown: load it again, or remove it by its id');
  }
  const unused = unusedLayers(listed, images);
  if (unused.length > 0) log.info({ layers: unused.length }, 'removing layers that no image has');
  await garbage.collect(unused);
}
