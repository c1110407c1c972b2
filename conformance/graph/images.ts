import { createHash } from 'node:crypto';
import { tarOf, type WrittenEntry } from '../../fakes/archive/tar-writer.ts';
import type { ImageServiceDefinition, LoadedImage } from '../../proto/gen/longshore/graph/v1/image.ts';
import { newId } from '../common/session.ts';
import type { WireClient } from '../common/wire.ts';

export type Images = WireClient<typeof ImageServiceDefinition>;

/** An image in memory. */
export interface TestImage {
  id: string;
  config: Buffer;
  layers: Buffer[];
  diffIds: string[];
  /** Lowest first, without the algorithm. */
  chainIds: string[];
  tags: string[];
}

export interface ImageWish {
  tags?: string[];
  /** The run config, by Docker's names. */
  run?: object;
  /** Makes the config another one. */
  comment?: string;
}

export function sha256(bytes: Buffer | string): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** A layer for each list of files. No two images are the same, unless their comments are. */
export function imageOf(files: readonly (readonly WrittenEntry[])[], wish: ImageWish = {}): TestImage {
  const layers = files.map(tarOf);
  const diffIds = layers.map((layer) => `sha256:${sha256(layer)}`);
  const config = Buffer.from(
    JSON.stringify({
      architecture: 'amd64',
      os: 'linux',
      created: '2024-05-01T10:00:00.123456789Z',
      comment: wish.comment ?? newId(),
      config: wish.run ?? { Cmd: ['sh'] },
      rootfs: { type: 'layers', diff_ids: diffIds },
      history: diffIds.map(() => ({ created: '2024-05-01T10:00:00Z', created_by: 'COPY' })),
    }),
  );
  const chainIds: string[] = [];
  for (const diffId of diffIds) {
    const below = chainIds.at(-1);
    chainIds.push(below === undefined ? diffId.slice(7) : sha256(`sha256:${below} ${diffId}`));
  }
  return { id: `sha256:${sha256(config)}`, config, layers, diffIds, chainIds, tags: wish.tags ?? [] };
}

/** As `docker save` writes it. */
export function savedArchive(images: readonly TestImage[], options: { without?: Buffer } = {}): Buffer {
  const blobs = new Map<string, Buffer>();
  const blob = (bytes: Buffer): string => {
    const name = `blobs/sha256/${sha256(bytes)}`;
    if (bytes !== options.without) blobs.set(name, bytes);
    return name;
  };
  const manifest = images.map(({ config, layers, tags }) => ({
    Config: blob(config),
    RepoTags: tags,
    Layers: layers.map(blob),
  }));
  const entries = [...blobs].map(([name, body]) => ({ name, body }));
  return tarOf([...entries, { name: 'manifest.json', body: JSON.stringify(manifest) }]);
}

/** Loads an archive and gives the images that came of it. */
export async function load(images: Images, archive: Buffer, frameBytes = 1024 * 1024): Promise<LoadedImage[]> {
  async function* frames() {
    for (let at = 0; at < archive.length; at += frameBytes) yield { chunk: archive.subarray(at, at + frameBytes) };
  }
  const loaded: LoadedImage[] = [];
  for await (const { event } of images.loadImages(frames())) if (event?.$case === 'loaded') loaded.push(event.value);
  return loaded;
}

/** A small image, loaded. */
export async function loadOne(images: Images, wish: ImageWish = {}): Promise<TestImage> {
  const image = imageOf([[{ name: 'etc/' }, { name: 'etc/id', body: newId() }]], wish);
  await load(images, savedArchive([image]));
  return image;
}

export async function removeAll(images: Images, ...ids: string[]): Promise<void> {
  for (const reference of ids) await images.removeImage({ reference, force: true });
}

/** A repository name that no other test uses. */
export function newRepository(): string {
  return `conformance/${newId().slice(0, 12)}`;
}
