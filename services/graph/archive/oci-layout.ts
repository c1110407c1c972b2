import * as z from 'zod/mini';
import { isDigest } from '../digest.ts';
import { badArchive } from '../errors.ts';
import { hostArchitecture } from '../platform.ts';
import type { Archive } from './archive.ts';
import type { ImageParts } from './image-archive.ts';

const descriptor = z.object({
  mediaType: z.optional(z.string()),
  digest: z.string(),
  annotations: z.optional(z.nullable(z.record(z.string(), z.string()))),
  platform: z.optional(z.nullable(z.object({ os: z.optional(z.string()), architecture: z.optional(z.string()) }))),
});

type Descriptor = z.infer<typeof descriptor>;

const index = z.object({ manifests: z.array(descriptor) });
const manifest = z.object({ config: descriptor, layers: z.array(descriptor) });

/** An index of images for several platforms may list further indexes; deeper than this is no image's. */
const deepest = 3;
const mostManifests = 1000;

/** The images of an OCI image layout (image-spec, image-layout.md): for each name, the one for this host. */
export async function describeOciImages(archive: Archive): Promise<ImageParts[]> {
  if (!archive.has('index.json')) {
    throw badArchive('the archive', 'is no image archive: it has no manifest.json');
  }
  const { manifests } = await archive.document('index.json', index);
  if (manifests.length > mostManifests) throw badArchive('index.json', 'has too many manifests');
  const images: ImageParts[] = [];
  for (const entry of manifests) {
    if (isAttestation(entry)) continue;
    const { config, layers } = await archive.document(await manifestFor(archive, entry), manifest);
    images.push({ config: fileOf(config), layers: layers.map(fileOf), tags: tagsOf(entry) });
  }
  return images;
}

async function manifestFor(archive: Archive, top: Descriptor): Promise<string> {
  let entry = top;
  for (let depth = 0; depth <= deepest; depth++) {
    if (!/index|manifest\.list/.test(entry.mediaType ?? '')) return fileOf(entry);
    const { manifests } = await archive.document(fileOf(entry), index);
    const here = manifests.filter((each) => !isAttestation(each) && archive.has(fileOf(each)));
    const fitting = here.find(
      ({ platform }) => platform?.os === 'linux' && platform.architecture === hostArchitecture(),
    );
    const chosen = fitting ?? here[0];
    if (chosen === undefined) throw badArchive(fileOf(entry), 'lists no image of this archive');
    entry = chosen;
  }
  throw badArchive('index.json', 'lists indexes within indexes');
}

/** Builders list statements about an image beside it, as images of no platform. */
function isAttestation({ platform }: Descriptor): boolean {
  return platform?.architecture === 'unknown';
}

function fileOf({ digest }: Descriptor): string {
  if (!isDigest(digest)) throw badArchive('index.json', `${digest} is not a sha256 digest`);
  return `blobs/${digest.replace(':', '/')}`;
}

/** A whole name where the writer gave one; the spec's own annotation is often a tag alone, which names nothing. */
function tagsOf({ annotations }: Descriptor): string[] {
  const name = annotations?.['io.containerd.image.name'] ?? annotations?.['org.opencontainers.image.ref.name'];
  return name?.includes(':') && !name.includes('@') ? [name] : [];
}
