import { createHash } from 'node:crypto';
import { tarOf, type WrittenEntry } from './tar-writer.ts';

export interface TestImage {
  id: string;
  hex: string;
  config: Buffer;
  layers: Buffer[];
  diffIds: string[];
  tags: string[];
}

/** An image in memory: a layer for each list of files. */
export function imageOf(
  files: readonly (readonly WrittenEntry[])[],
  options: { tags?: string[]; config?: object; file?: object } = {},
): TestImage {
  const layers = files.map(tarOf);
  const diffIds = layers.map((layer) => `sha256:${sha256(layer)}`);
  const file = {
    architecture: 'amd64',
    os: 'linux',
    created: '2024-05-01T10:00:00.123456789Z',
    config: options.config ?? { Cmd: ['/bin/sh'] },
    rootfs: { type: 'layers', diff_ids: diffIds },
    history: diffIds.map(() => ({ created: '2024-05-01T10:00:00Z', created_by: 'COPY' })),
    ...options.file,
  };
  const config = Buffer.from(JSON.stringify(file));
  const hex = sha256(config);
  return { id: `sha256:${hex}`, hex, config, layers, diffIds, tags: options.tags ?? [] };
}

/** As `docker save` wrote it up to version 24. */
export function classicArchive(images: readonly TestImage[]): Buffer {
  return tarOf(classicEntries(images));
}

export function classicEntries(images: readonly TestImage[]): WrittenEntry[] {
  const entries: WrittenEntry[] = [];
  for (const image of images) {
    for (const layer of image.layers) {
      const folder = sha256(layer);
      entries.push({ name: `${folder}/`, type: '5' }, { name: `${folder}/VERSION`, body: '1.0' });
      entries.push({ name: `${folder}/layer.tar`, body: layer });
    }
    entries.push({ name: `${image.hex}.json`, body: image.config });
  }
  const manifest = images.map((image) => ({
    Config: `${image.hex}.json`,
    RepoTags: image.tags.length === 0 ? null : image.tags,
    Layers: image.layers.map((layer) => `${sha256(layer)}/layer.tar`),
  }));
  return [...entries, { name: 'manifest.json', body: JSON.stringify(manifest) }];
}

/** An OCI image layout. `manifest.json` stands beside it, as `docker save` writes since version 25, if it is asked for. */
export function ociArchive(image: TestImage, options: { withManifestJson: boolean; stored?: Buffer[] }): Buffer {
  const stored = options.stored ?? image.layers;
  const blob = (bytes: Buffer): WrittenEntry => ({ name: `blobs/sha256/${sha256(bytes)}`, body: bytes });
  const described = (bytes: Buffer) => ({ digest: `sha256:${sha256(bytes)}`, size: bytes.length });
  const manifest = Buffer.from(
    JSON.stringify({ schemaVersion: 2, config: described(image.config), layers: stored.map(described) }),
  );
  const index = {
    schemaVersion: 2,
    manifests: image.tags.map((tag) => ({
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      ...described(manifest),
      annotations: { 'io.containerd.image.name': tag, 'org.opencontainers.image.ref.name': 'latest' },
    })),
  };
  const dockerManifest = [
    {
      Config: `blobs/sha256/${image.hex}`,
      RepoTags: image.tags,
      Layers: stored.map((layer) => `blobs/sha256/${sha256(layer)}`),
    },
  ];
  return tarOf([
    blob(image.config),
    blob(manifest),
    ...stored.map(blob),
    { name: 'index.json', body: JSON.stringify(index) },
    { name: 'oci-layout', body: '{"imageLayoutVersion": "1.0.0"}' },
    ...(options.withManifestJson ? [{ name: 'manifest.json', body: JSON.stringify(dockerManifest) }] : []),
  ]);
}

export function sha256(bytes: Buffer | string): string {
  return createHash('sha256').update(bytes).digest('hex');
}
