import * as z from 'zod/mini';
import type { Ingested } from '../content.ts';
import { type Digest, digestOf } from '../digest.ts';
import { badArchive, errors } from '../errors.ts';
import { diffIdsOf, type ImageFile, parseImageFile } from '../image-file.ts';
import { parseName, referenceText } from '../reference.ts';
import type { Archive } from './archive.ts';
import { describeOciImages } from './oci-layout.ts';

/** An image as an archive describes it: checked, and none of it applied yet. */
export interface ArchivedImage {
  id: Digest;
  config: Uint8Array;
  file: ImageFile;
  /** Lowest first. */
  layers: { diffId: Digest; blob: Ingested }[];
  tags: string[];
}

/** Where an archive keeps the parts of one image. */
export interface ImageParts {
  config: string;
  layers: readonly string[];
  tags: readonly string[];
}

/** No storage driver stacks more. */
export const mostLayers = 125;

const nullable = <T extends z.ZodMiniType>(shape: T) => z.optional(z.nullable(shape));

const manifest = z.array(
  z.object({
    Config: z.string(),
    RepoTags: nullable(z.array(z.string())),
    Layers: nullable(z.array(z.string())),
  }),
);

/** The images of an archive: by its manifest.json, as `docker save` writes it, else by its OCI index. */
export async function describeImages(archive: Archive): Promise<ArchivedImage[]> {
  const parts = archive.has('manifest.json') ? await dockerParts(archive) : await describeOciImages(archive);
  const images: ArchivedImage[] = [];
  for (const part of parts) images.push(await describe(archive, part));
  return images;
}

async function dockerParts(archive: Archive): Promise<ImageParts[]> {
  const items = await archive.document('manifest.json', manifest);
  return items.map((item) => ({ config: item.Config, layers: item.Layers ?? [], tags: item.RepoTags ?? [] }));
}

async function describe(archive: Archive, parts: ImageParts): Promise<ArchivedImage> {
  const config = await archive.bytes(parts.config);
  const file = parseImageFile(config, parts.config);
  const os = file.os ?? 'linux';
  if (os !== '' && os !== 'linux') throw errors.platformUnsupported({ os });
  const diffIds = diffIdsOf(file);
  const [expected, actual] = [parts.layers.length, diffIds.length];
  if (expected !== actual) {
    const problem = `invalid manifest, layers length mismatch: expected ${expected}, got ${actual}`;
    throw badArchive(parts.config, problem);
  }
  if (actual > mostLayers) throw badArchive(parts.config, `has more than ${mostLayers} layers`);

  const layers: ArchivedImage['layers'] = [];
  for (const [i, diffId] of diffIds.entries()) {
    const name = parts.layers[i] ?? '';
    const blob = await archive.blob(name);
    checkName(name, blob.digest);
    layers.push({ diffId, blob });
  }
  const id = digestOf(config);
  checkName(parts.config, id);
  return { id, config, file, layers, tags: parts.tags.map(tagOf) };
}

/** A file that is called by its digest must have it. */
function checkName(name: string, digest: Digest): void {
  const hex = /^(?:\.\/)?blobs\/sha256\/([0-9a-f]{64})$/.exec(name)?.[1];
  if (hex !== undefined && digest !== `sha256:${hex}`) {
    throw badArchive(name, `has the digest ${digest}`);
  }
}

function tagOf(text: string): string {
  const name = parseName(text);
  if (name.tag === undefined || name.digest !== undefined) {
    throw badArchive('manifest.json', `invalid tag "${text}"`);
  }
  return referenceText(name);
}
