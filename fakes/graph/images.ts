import { createHash } from 'node:crypto';
import type { WatchImagesResponse } from '../../proto/gen/longshore/graph/v1/event.ts';
import { type EventMemory, nowNs, openEvents } from '../events.ts';
import type { Life } from '../fake.ts';
import { errors } from './errors.ts';
import { parseReference, tagOf } from './reference.ts';

/** The OCI image config, with Docker's fields, as far as they are looked at. */
export interface ImageFile {
  architecture?: string;
  os?: string;
  author?: string;
  comment?: string;
  created?: string;
  config?: RunConfig;
  history?: { created?: string; created_by?: string; comment?: string; empty_layer?: boolean }[];
  rootfs: { type: string; diff_ids: string[] };
}

export interface RunConfig {
  User?: string;
  ExposedPorts?: Record<string, object>;
  Env?: string[];
  Entrypoint?: string[] | null;
  Cmd?: string[] | null;
  Volumes?: Record<string, object>;
  WorkingDir?: string;
  Labels?: Record<string, string>;
  StopSignal?: string;
}

export interface StoredImage {
  id: string;
  configBytes: Buffer;
  file: ImageFile;
  /** Of the driver that its layers are kept by. */
  driver: string;
  size: number;
  tags: Set<string>;
  holders: Set<string>;
  lastTaggedAtNs: bigint;
}

export type ImageEvent = Pick<WatchImagesResponse, 'action' | 'imageId' | 'attributes' | 'timeNs'>;

export interface ImageMemory {
  images: Map<string, StoredImage>;
  events: EventMemory<ImageEvent>;
  /** The images that the fake was started with are in. */
  isFurnished: boolean;
}

export function noImages(): ImageMemory {
  return { images: new Map(), events: [], isFurnished: false };
}

export type ImageStore = ReturnType<typeof createImageStore>;

export function createImageStore({ durable }: Life<ImageMemory>, driver: () => string) {
  const events = openEvents(durable.events);
  const all = () => [...durable.images.values()].filter((image) => image.driver === driver());
  const tell = (action: string, image: StoredImage, name?: string) =>
    events.append({
      action,
      imageId: image.id,
      attributes: { name: name ?? image.id, ...image.file.config?.Labels },
      timeNs: nowNs(),
    });

  /** An image, and the tag by which it was found, if it was by one. */
  function find(text: string): { image: StoredImage; tag: string | undefined } {
    const { id, tag, prefix } = parseReference(text);
    const exact = all().find((image) => image.id === id || (tag !== undefined && image.tags.has(tag)));
    if (exact !== undefined) return { image: exact, tag };
    const matches = prefix === undefined ? [] : all().filter((image) => image.id.startsWith(`sha256:${prefix}`));
    if (matches.length > 1) throw errors.ambiguousId({ prefix: prefix ?? '' });
    const [image] = matches;
    if (image === undefined) throw errors.imageNotFound({ reference: id ?? tag ?? text });
    return { image, tag: undefined };
  }

  /** Gives the id of the image that had the tag. */
  function setTag(image: StoredImage, tag: string): string | undefined {
    const before = all().find((each) => each.tags.has(tag));
    before?.tags.delete(tag);
    image.tags.add(tag);
    image.lastTaggedAtNs = nowNs();
    return before?.id;
  }

  return {
    events,
    all,
    find,
    tell,
    setTag,
    add(configBytes: Buffer, file: ImageFile, size: number): StoredImage {
      const id = digestOf(configBytes);
      const before = all().find((image) => image.id === id);
      if (before !== undefined) return before;
      const image: StoredImage = {
        id,
        configBytes,
        file,
        driver: driver(),
        size,
        tags: new Set(),
        holders: new Set(),
        lastTaggedAtNs: 0n,
      };
      durable.images.set(id, image);
      return image;
    },
    tag(source: string, repository: string, tag: string) {
      const name = tagOf(tag === '' ? repository : `${repository}:${tag}`);
      const { image } = find(source);
      const before = setTag(image, name);
      tell('tag', image, name);
      return { image, changed: before !== image.id };
    },
    acquire(reference: string, holder: string) {
      const { image } = find(reference);
      const isNew = !image.holders.has(holder);
      image.holders.add(holder);
      return { image, isNew };
    },
    /** An empty id: whatever the holder has. */
    release(id: string, holder: string): boolean {
      const affected = all().filter((image) => id === '' || image.id === id);
      return affected.filter((image) => image.holders.delete(holder)).length > 0;
    },
    reconcile(holdings: readonly { holder: string; imageId: string }[]): string[] {
      const released = new Set<string>();
      for (const image of all()) {
        const wanted = holdings.filter(({ imageId }) => imageId === image.id).map(({ holder }) => holder);
        for (const holder of image.holders) released.add(holder);
        image.holders = new Set(wanted);
      }
      const kept = new Set(all().flatMap((image) => [...image.holders]));
      return [...released].filter((holder) => !kept.has(holder)).sort();
    },
    forget: (image: StoredImage) => durable.images.delete(image.id),
  };
}

export function digestOf(bytes: Buffer | string): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

/** The OCI image spec's chain ids, lowest first, as layer ids: without the algorithm. */
export function chainIds({ rootfs }: ImageFile): string[] {
  let chain = '';
  return rootfs.diff_ids.map((diffId) => {
    chain = chain === '' ? diffId : digestOf(`${chain} ${diffId}`);
    return chain.replace('sha256:', '');
  });
}
