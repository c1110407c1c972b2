import { createHash } from 'node:crypto';
import { arch } from 'node:process';
import { busyboxTar } from '../../integration-tests/images.ts';
import { type TarFile, tar } from './tar.ts';

/** What `docker load` takes: one image with these layers. */
function archive(name: string, layers: readonly Buffer[]): Buffer {
  const hashes = layers.map(sha256);
  const config = Buffer.from(
    JSON.stringify({
      architecture: arch === 'arm64' ? 'arm64' : 'amd64',
      os: 'linux',
      created: '2026-01-01T00:00:00Z',
      config: { Cmd: ['sh'], Env: ['PATH=/bin'] },
      rootfs: { type: 'layers', diff_ids: hashes.map((hash) => `sha256:${hash}`) },
      history: hashes.map(() => ({ created: '2026-01-01T00:00:00Z' })),
    }),
  );
  const paths = hashes.map((hash) => `${hash}/layer.tar`);
  const manifest = [{ Config: `${sha256(config)}.json`, RepoTags: [`${name}:latest`], Layers: paths }];
  return tar([
    { path: `${sha256(config)}.json`, content: config },
    ...layers.flatMap((content, index) => [{ path: hashes[index] ?? '' }, { path: paths[index] ?? '', content }]),
    { path: 'manifest.json', content: Buffer.from(JSON.stringify(manifest)) },
  ]);
}

/** The image that containers are made from: static busybox. */
export function busyboxArchive(): Buffer {
  return archive('busybox', [busyboxTar()]);
}

/** How big `bigArchive` is. */
export const big = { layers: 5, filesPerLayer: 1_380, filesPerFolder: 30, megabytes: 112 };

/** An image called `big`: many small files and a few bigger ones. Of each number it is another one, of the same size. */
export function bigArchive(number: number): Buffer {
  return archive(
    'big',
    Array.from({ length: big.layers }, (_, layer) => tar(filesOf(number * big.layers + layer))),
  );
}

function filesOf(layer: number): TarFile[] {
  const random = generator(layer + 1);
  // Of sizes with a long tail: u³ for u uniform in [0, 1) has a mean of a quarter.
  const meanSize = (big.megabytes * 1e6) / (big.layers * big.filesPerLayer) - 768;
  const noise = Buffer.alloc(Math.ceil(4 * meanSize) + 4_096);
  for (let at = 0; at + 4 <= noise.length; at += 4) noise.writeUInt32LE(Math.floor(random() * 2 ** 32), at);
  const files: TarFile[] = [];
  for (let index = 0; index < big.filesPerLayer; index++) {
    const folder = `layer-${layer}/${Math.floor(index / big.filesPerFolder)}`;
    if (index === 0) files.push({ path: `layer-${layer}` });
    if (index % big.filesPerFolder === 0) files.push({ path: folder });
    const size = Math.floor(4 * meanSize * random() ** 3);
    const from = index % 4_096;
    files.push({ path: `${folder}/${index}`, content: noise.subarray(from, from + size) });
  }
  return files;
}

/** A linear congruential generator (Numerical Recipes' constants): numbers in [0, 1), always the same ones. */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

function sha256(content: Buffer): string {
  return createHash('sha256').update(content).digest('hex');
}
