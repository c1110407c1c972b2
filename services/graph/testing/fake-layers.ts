import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import { defineErrors } from '../../../kit/errors.ts';
import { silentLogger } from '../../../kit/log.ts';
import { serve, service } from '../../../kit/rpc/serve.ts';
import { Outcome } from '../../../proto/gen/longshore/contract/v1/outcome.ts';
import {
  type ApplyLayerRequest,
  type Layer,
  LayerServiceDefinition,
  type LayerServiceImplementation,
} from '../../../proto/gen/longshore/graphdriver/v1/layer.ts';

const errors = defineErrors('graphdriver', {
  layerNotFound: { code: 'NOT_FOUND', message: (m: { layer: string }) => `no such layer: ${m.layer}` },
  layerInUse: { code: 'FAILED_PRECONDITION', message: (m: { layer: string }) => `layer ${m.layer} is in use` },
  digestMismatch: { code: 'INVALID_ARGUMENT', message: () => 'the archive is not what was expected' },
  unused: { code: 'UNIMPLEMENTED', message: () => 'the image store does not call this' },
});

/** The layer store's contract in memory: as much of it as the image store uses. */
export interface FakeLayers {
  endpoint: string;
  layers: Map<string, Layer>;
  /** How archives came: paths under the data root, or `stream`. */
  sources: string[];
  /** Called before each layer is made; a test holds the layer up here. */
  beforeApply: (id: string) => Promise<void> | void;
  beforeRemove: (id: string) => Promise<void> | void;
  stop(): Promise<void>;
}

export async function serveFakeLayers(socket: string, dataRoot: string): Promise<FakeLayers> {
  const layers = new Map<string, Layer>();
  const refuse = () => {
    throw errors.unused();
  };
  const implementation: LayerServiceImplementation = {
    async applyLayer(frames) {
      const { header, archive } = await received(frames, dataRoot, fake.sources);
      await fake.beforeApply(header.id);
      const known = layers.get(header.id);
      if (known !== undefined) return { outcome: Outcome.OUTCOME_ALREADY, layer: known };
      if (header.parent !== '' && !layers.has(header.parent)) throw errors.layerNotFound({ layer: header.parent });
      const tar = inflated(archive);
      const diffId = `sha256:${createHash('sha256').update(tar).digest('hex')}`;
      if (header.expectedDiffId !== '' && header.expectedDiffId !== diffId) throw errors.digestMismatch();
      const { id, parent, labels } = header;
      const made = { holders: [], createdAtNs: 1n, directories: {} };
      const layer = { id, parent, labels, diffId, writable: false, size: tar.length, ...made };
      layers.set(id, layer);
      return { outcome: Outcome.OUTCOME_DONE, layer };
    },
    async getLayer({ id }) {
      const layer = layers.get(id);
      if (layer === undefined) throw errors.layerNotFound({ layer: id });
      return { layer };
    },
    async removeLayer({ id }) {
      await fake.beforeRemove(id);
      if ([...layers.values()].some((layer) => layer.parent === id)) throw errors.layerInUse({ layer: id });
      return { outcome: layers.delete(id) ? Outcome.OUTCOME_DONE : Outcome.OUTCOME_ABSENT };
    },
    async *listLayers() {
      for (const layer of layers.values()) yield { layer };
    },
    createLayer: refuse,
    mountLayer: refuse,
    unmountLayer: refuse,
    diffLayer: refuse,
    listChanges: refuse,
  };
  const served = await serve({
    role: 'graphdriver',
    listen: [`unix://${socket}`],
    log: silentLogger(),
    services: [service(LayerServiceDefinition, implementation, { serving: true })],
  });
  const fake: FakeLayers = {
    endpoint: `unix://${socket}`,
    layers,
    sources: [],
    beforeApply: () => undefined,
    beforeRemove: () => undefined,
    stop: () => served.stop(),
  };
  return fake;
}

async function received(frames: AsyncIterable<ApplyLayerRequest>, dataRoot: string, sources: string[]) {
  const chunks: Buffer[] = [];
  let header: Extract<ApplyLayerRequest['frame'], { $case: 'header' }>['value'] | undefined;
  for await (const { frame } of frames) {
    if (frame?.$case === 'header') header = frame.value;
    if (frame?.$case === 'chunk') chunks.push(frame.value);
  }
  if (header === undefined) throw new TypeError('no header');
  const path = header.source?.$case === 'path' ? header.source.value : undefined;
  sources.push(path ?? 'stream');
  return { header, archive: path === undefined ? Buffer.concat(chunks) : await readFile(join(dataRoot, path)) };
}

function inflated(archive: Buffer): Buffer {
  if (archive.readUInt16BE(0) === 0x1f8b) return gunzipSync(archive);
  return archive.readUInt32BE(0) === 0x28b52ffd ? zstdDecompressSync(archive) : archive;
}
