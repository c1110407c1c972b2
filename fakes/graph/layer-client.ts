import { isServiceError } from '../../kit/errors.ts';
import type { Logger } from '../../kit/log.ts';
import { dial } from '../../kit/rpc/dial.ts';
import { LayerServiceDefinition } from '../../proto/gen/longshore/graphdriver/v1/layer.ts';

/** The layer store that an image store keeps its layers in. */
export interface LayerClient {
  apply(layer: { id: string; parent: string; diffId: string }, archive: Buffer): Promise<void>;
  /** One that is in use stays. */
  remove(id: string): Promise<void>;
  close(): void;
}

const frameBytes = 1024 * 1024;

export function dialLayers(endpoint: string, log: Logger): LayerClient {
  const channel = dial(endpoint, { role: 'graph', log });
  const client = channel.client(LayerServiceDefinition);
  return {
    async apply({ id, parent, diffId }, archive) {
      async function* frames() {
        const source = { $case: 'stream', value: true } as const;
        yield { frame: { $case: 'header', value: { id, parent, source, expectedDiffId: diffId } } } as const;
        for (let at = 0; at < archive.length; at += frameBytes) {
          yield { frame: { $case: 'chunk', value: archive.subarray(at, at + frameBytes) } } as const;
        }
      }
      await client.applyLayer(frames());
    },
    async remove(id) {
      try {
        await client.removeLayer({ id });
      } catch (error) {
        if (!isServiceError(error, 'LAYER_IN_USE')) throw error;
      }
    },
    close: () => channel.close(),
  };
}
