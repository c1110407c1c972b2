import type { Logger } from '../../kit/log.ts';
import type { Records } from '../../kit/records.ts';
import type { ContentStore } from './content.ts';
import { isDigest } from './digest.ts';
import type { Layers, ListedLayer } from './layers.ts';
import type { Leases } from './leases.ts';
import { type ImageStore, isBlobUsed } from './records/images.ts';

/** Removes blobs (`sha256:…`) and layers (64 hex digits) that no image has and no lease holds. */
export interface Garbage {
  /** Of these, in this order: a layer comes before the one below it. What cannot be removed stays for the next sweep. */
  collect(keys: readonly string[]): Promise<void>;
}

export interface GarbageOptions {
  records: Records;
  images: ImageStore;
  content: ContentStore;
  layers: Layers;
  leases: Leases;
  log: Logger;
}

export function createGarbage(options: GarbageOptions): Garbage {
  const { records, images, content, layers, leases, log } = options;
  const remove = async (key: string) => {
    // Looked at when no lease can begin any more, and before anything is awaited.
    if (isDigest(key)) {
      if (!isBlobUsed(records, key)) await content.remove(key);
    } else if (!images.isLayerUsed(key)) {
      const isGone = await layers.remove(key);
      if (!isGone) log.warn({ layer: key }, 'a layer that no image has is in use');
    }
  };
  return {
    async collect(keys) {
      // What nobody has any more must not come back without its files.
      if (keys.length > 0) await records.synced();
      for (const key of keys) {
        try {
          await leases.collect(key, () => remove(key));
        } catch (err) {
          log.warn({ err, key }, 'left for the next sweep');
        }
      }
    },
  };
}

/** Removes the blobs that no image has. */
export async function sweepBlobs(records: Records, content: ContentStore, leases: Leases): Promise<number> {
  let swept = 0;
  for (const digest of await content.list()) {
    await leases.collect(digest, async () => {
      if (isBlobUsed(records, digest)) return;
      await content.remove(digest);
      swept += 1;
    });
  }
  return swept;
}

/** The layers of ours that no image has, each before the one below it. */
export function unusedLayers(listed: readonly ListedLayer[], images: ImageStore): string[] {
  const parents = new Map(listed.map((layer) => [layer.id, layer.parent]));
  const depth = (id: string) => {
    let steps = 0;
    for (let at = parents.get(id); at !== undefined && at !== '' && steps < parents.size; at = parents.get(at)) steps++;
    return steps;
  };
  return listed
    .filter((layer) => layer.isOurs && !images.isLayerUsed(layer.id))
    .map((layer) => layer.id)
    .sort((a, b) => depth(b) - depth(a));
}
