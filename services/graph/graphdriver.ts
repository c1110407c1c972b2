import { isServiceError } from '../../kit/errors.ts';
import type { Logger } from '../../kit/log.ts';
import { dial } from '../../kit/rpc/dial.ts';
import type { Neighbours } from '../../kit/rpc/neighbours.ts';
import type { TlsFiles } from '../../kit/service.ts';
import { type ApplyLayerRequest, LayerServiceDefinition } from '../../proto/gen/longshore/graphdriver/v1/layer.ts';
import type { ContentStore } from './content.ts';
import type { Layer, Layers, LayerToApply, ListedLayer } from './layers.ts';
import { counted } from './progress.ts';

export interface GraphdriverOptions {
  endpoint: string;
  /** Does graphdriver see our data root? Then blobs are handed over by path. */
  sharesDataRoot: boolean;
  content: ContentStore;
  log: Logger;
  tls?: TlsFiles;
  neighbours?: Neighbours | undefined;
}

/** Marks the layers that are ours to remove. */
const ours = { 'longshore.owner': 'graph' };

/** Layers over graphdriver's contract. */
export function dialLayers(options: GraphdriverOptions): Layers {
  const { endpoint, content, sharesDataRoot, log, tls, neighbours } = options;
  const channel = dial(endpoint, { role: 'graph', log, neighbours, ...(tls !== undefined && { tls }) });
  const client = channel.client(LayerServiceDefinition);

  return {
    async find(id) {
      try {
        return found((await client.getLayer({ id })).layer, id);
      } catch (error) {
        if (isServiceError(error, 'LAYER_NOT_FOUND')) return undefined;
        throw error;
      }
    },
    async apply(layer, sent, signal) {
      const frames = sharesDataRoot ? byPath(layer, content) : byStream(layer, content, sent);
      return found((await client.applyLayer(frames, { signal })).layer, layer.id);
    },
    async remove(id) {
      try {
        await client.removeLayer({ id });
        return true;
      } catch (error) {
        if (isServiceError(error, 'LAYER_IN_USE')) return false;
        throw error;
      }
    },
    async list() {
      const layers: ListedLayer[] = [];
      for await (const { layer } of client.listLayers({})) {
        if (layer === undefined || layer.writable) continue;
        const isOurs = layer.labels['longshore.owner'] === ours['longshore.owner'];
        layers.push({ id: layer.id, parent: layer.parent, isOurs });
      }
      return layers;
    },
    close: () => channel.close(),
  };
}

async function* byPath(layer: LayerToApply, content: ContentStore): AsyncGenerator<ApplyLayerRequest, void> {
  yield header(layer, { $case: 'path', value: content.path(layer.blob) });
}

async function* byStream(
  layer: LayerToApply,
  content: ContentStore,
  sent: (bytes: number) => void,
): AsyncGenerator<ApplyLayerRequest, void> {
  yield header(layer, { $case: 'stream', value: true });
  for await (const chunk of counted(content.stream(layer.blob), sent)) {
    yield { frame: { $case: 'chunk', value: Buffer.from(chunk) } };
  }
}

function header(
  layer: LayerToApply,
  source: { $case: 'path'; value: string } | { $case: 'stream'; value: boolean },
): ApplyLayerRequest {
  const { id, parent = '', diffId } = layer;
  return { frame: { $case: 'header', value: { id, parent, source, expectedDiffId: diffId, labels: ours } } };
}

function found(layer: { id: string; diffId: string; size: number } | undefined, id: string): Layer {
  if (layer === undefined) throw new TypeError(`graphdriver answered without the layer ${id}`);
  return { id: layer.id, diffId: layer.diffId, size: layer.size };
}
