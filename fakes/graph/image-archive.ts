import { inflated } from '../archive/tar-reader.ts';
import { tarOf, type WrittenEntry } from '../archive/tar-writer.ts';
import { errors } from './errors.ts';
import { digestOf, type ImageFile, type RunConfig } from './images.ts';
import { checked, readArchive } from './reading.ts';
import { tagOf } from './reference.ts';

/** An image as an archive has it. Layers are uncompressed, lowest first. */
export interface ArchivedImage {
  configBytes: Buffer;
  file: ImageFile;
  layers: Buffer[];
  tags: string[];
}

/** An image that a fake is started with: a layer for each list of files. */
export interface FakeImage {
  tags?: readonly string[];
  config?: RunConfig;
  layers?: readonly (readonly WrittenEntry[])[];
}

const created = '2024-05-01T10:00:00Z';

export function imageOf({ tags = [], config = { Cmd: ['sh'] }, layers = [] }: FakeImage): ArchivedImage {
  const tars = layers.map(tarOf);
  const file: ImageFile = {
    architecture: 'amd64',
    os: 'linux',
    created,
    config,
    history: tars.map(() => ({ created, created_by: 'COPY' })),
    rootfs: { type: 'layers', diff_ids: tars.map(digestOf) },
  };
  return { configBytes: Buffer.from(JSON.stringify(file)), file, layers: tars, tags: [...tags] };
}

/** As `docker save` writes it: for LoadImages. */
export function savedImages(images: readonly FakeImage[]): Buffer {
  const all = images.map(imageOf);
  const blobs = new Map<string, Buffer>();
  const blob = (bytes: Buffer): string => {
    const name = `blobs/sha256/${digestOf(bytes).replace('sha256:', '')}`;
    blobs.set(name, bytes);
    return name;
  };
  const manifest = all.map(({ configBytes, layers, tags }) => ({
    Config: blob(configBytes),
    RepoTags: tags,
    Layers: layers.map(blob),
  }));
  return tarOf([
    ...[...blobs].map(([name, body]) => ({ name, body })),
    { name: 'manifest.json', body: JSON.stringify(manifest) },
  ]);
}

interface ManifestItem {
  Config: string;
  RepoTags: string[] | null;
  Layers: string[];
}

/** One after the other, so that those before a broken one come. BAD_ARCHIVE. */
export function* describeImages(archive: Buffer): Generator<ArchivedImage, void, undefined> {
  const files = new Map(readArchive('archive', archive).map(({ name, body }) => [name, body]));
  const part = (name: string): Buffer => {
    const body = files.get(name);
    if (body === undefined) throw errors.badArchive({ part: name, problem: 'is missing' });
    return body;
  };
  for (const item of parsed<ManifestItem[]>('manifest.json', part('manifest.json'))) {
    const configBytes = part(item.Config);
    const file = parsed<ImageFile>(item.Config, configBytes);
    const diffIds = file.rootfs?.diff_ids ?? [];
    if (diffIds.length !== item.Layers.length) {
      throw errors.badArchive({ part: item.Config, problem: 'does not have the layers of the manifest' });
    }
    const layers = item.Layers.map((name, at) => {
      const tar = checked(name, () => inflated(part(name)));
      if (digestOf(tar) !== diffIds[at]) throw errors.badArchive({ part: name, problem: `is not ${diffIds[at]}` });
      return tar;
    });
    yield { configBytes, file, layers, tags: (item.RepoTags ?? []).map(tagOf) };
  }
}

function parsed<T>(part: string, bytes: Buffer): T {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch (cause) {
    throw errors.badArchive({ part, problem: 'is not JSON' }, { cause });
  }
}
