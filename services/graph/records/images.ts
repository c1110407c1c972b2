import type { Records } from '../../../kit/records.ts';
import { type Digest, isDigest } from '../digest.ts';
import { type ImageFile, parseImageFile } from '../image-file.ts';

/** One layer of an image. */
export interface ImageLayer {
  /** The chain id, 64 hex digits: graphdriver's id of the layer. */
  id: string;
  diffId: Digest;
  /** The archive as it was delivered. */
  blob: Digest;
  /** Bytes of its files. */
  size: number;
}

export interface NewImage {
  id: Digest;
  /** They hash to the id. */
  config: Uint8Array;
  /** Lowest first. */
  layers: readonly ImageLayer[];
}

export interface Image extends NewImage {
  /** The row, for the stores of tags and holders. */
  key: number;
  file: ImageFile;
}

/** The images of one driver. Reads are cheap: what never changes of an image is kept in memory once it was asked for. */
export interface ImageStore {
  /** An image whose layers are all there. */
  find(id: Digest): Image | undefined;
  /** Also one whose layers are missing, so that it can be removed. */
  findAny(id: Digest): Image | undefined;
  /** At most two ids that begin so; `prefix` is hex digits. */
  withPrefix(prefix: string): Digest[];
  all(): Image[];
  /** Records an image, or finds it recorded. To be called in a transaction. */
  add(image: NewImage): Image;
  remove(image: Image): void;
  lastTagged(image: Image): number;
  /** Microseconds since 1970. */
  touch(image: Image, timeUs: number): void;
  isLayerUsed(layer: string): boolean;
  /** By an image of any driver. */
  isBlobUsed(blob: Digest): boolean;
  /** Hides the images that have a layer that is not among these; gives their ids. */
  hideWithout(layers: ReadonlySet<string>): Digest[];
}

export function openImages(records: Records, driver: string): ImageStore {
  const cache = new Map<number, Image>();
  let hidden = new Set<number>();

  const load = (row: Record<string, unknown> | undefined): Image | undefined => {
    if (row === undefined) return undefined;
    const key = Number(row.key);
    const known = cache.get(key);
    if (known !== undefined) return known;
    const config = row.config;
    if (!(config instanceof Uint8Array)) return undefined;
    const id = digest(row.id);
    const image = { key, id, config, layers: layersOf(records, key), file: parseImageFile(config, id) };
    cache.set(key, image);
    return image;
  };
  const find = (id: Digest) =>
    load(records.prepare('SELECT key, id, config FROM image WHERE driver = ? AND id = ?').get(driver, id));
  const shown = (image: Image | undefined) => (image !== undefined && hidden.has(image.key) ? undefined : image);
  const all = () =>
    records
      .prepare('SELECT key, id, config FROM image WHERE driver = ? ORDER BY id')
      .all(driver)
      .flatMap((row) => load(row) ?? []);

  return {
    find: (id) => shown(find(id)),
    findAny: find,
    withPrefix(prefix) {
      return records
        .prepare('SELECT id FROM image WHERE driver = ? AND id >= ? AND id < ? ORDER BY id LIMIT 2')
        .all(driver, `sha256:${prefix}`, `sha256:${prefix}g`)
        .map((row) => digest(row.id));
    },
    all: () => all().filter((image) => shown(image)),
    add(image) {
      const known = find(image.id);
      if (known !== undefined) {
        hidden.delete(known.key);
        return known;
      }
      const { lastInsertRowid } = records
        .prepare('INSERT INTO image (driver, id, config) VALUES (?, ?, ?)')
        .run(driver, image.id, image.config);
      const insert = records.prepare('INSERT INTO image_layer VALUES (?, ?, ?, ?, ?, ?)');
      for (const [position, layer] of image.layers.entries()) {
        insert.run(lastInsertRowid, position, layer.id, layer.diffId, layer.blob, layer.size);
      }
      return { ...image, key: Number(lastInsertRowid), file: parseImageFile(image.config, image.id) };
    },
    remove(image) {
      records.prepare('DELETE FROM image WHERE key = ?').run(image.key);
      cache.delete(image.key);
      hidden.delete(image.key);
    },
    lastTagged: (image) =>
      Number(records.prepare('SELECT last_tagged_us AS us FROM image WHERE key = ?').get(image.key)?.us ?? 0),
    touch(image, timeUs) {
      records.prepare('UPDATE image SET last_tagged_us = ? WHERE key = ?').run(timeUs, image.key);
    },
    isLayerUsed: (layer) =>
      records
        .prepare('SELECT 1 FROM image_layer JOIN image ON image = key WHERE layer = ? AND driver = ? LIMIT 1')
        .get(layer, driver) !== undefined,
    isBlobUsed: (blob) => isBlobUsed(records, blob),
    hideWithout(layers) {
      const damaged = all().filter((image) => image.layers.some((layer) => !layers.has(layer.id)));
      hidden = new Set(damaged.map((image) => image.key));
      return damaged.map((image) => image.id);
    },
  };
}

export function isBlobUsed(records: Records, blob: Digest): boolean {
  return records.prepare('SELECT 1 FROM image_layer WHERE blob = ? LIMIT 1').get(blob) !== undefined;
}

function layersOf(records: Records, key: number): ImageLayer[] {
  return records
    .prepare('SELECT layer, diff_id, blob, size FROM image_layer WHERE image = ? ORDER BY position')
    .all(key)
    .map((row) => ({
      id: String(row.layer),
      diffId: digest(row.diff_id),
      blob: digest(row.blob),
      size: Number(row.size),
    }));
}

function digest(value: unknown): Digest {
  const text = String(value);
  if (!isDigest(text)) throw new TypeError(`images.db has a digest that is none: ${text}`);
  return text;
}

/** Bytes of all its layers' files. */
export function sizeOf(image: NewImage): number {
  return image.layers.reduce((sum, layer) => sum + layer.size, 0);
}

/** The layer that containers are made on; undefined for an image without layers. */
export function topLayer(image: NewImage): string | undefined {
  return image.layers.at(-1)?.id;
}
