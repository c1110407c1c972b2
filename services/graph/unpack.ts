import { isServiceError } from '../../kit/errors.ts';
import { chainIds, type Digest, shortId } from './digest.ts';
import type { EarlyLayers } from './early-layers.ts';
import { badArchive } from './errors.ts';
import type { Graph } from './graph.ts';
import type { Lease } from './leases.ts';
import { type Progress, reporting } from './progress.ts';
import type { ImageLayer } from './records/images.ts';

export interface PackedLayer {
  diffId: Digest;
  blob: { digest: Digest; size: number };
}

/**
 * Makes the layers that graphdriver has not got yet, lowest first. The lease holds each before it is made. What was begun early
 * is waited for.
 */
export async function* unpack(
  graph: Graph,
  packed: readonly PackedLayer[],
  lease: Lease,
  signal: AbortSignal,
  early?: Pick<EarlyLayers, 'find'>,
): AsyncGenerator<Progress, ImageLayer[]> {
  const ids = chainIds(packed.map((layer) => layer.diffId));
  const layers: ImageLayer[] = [];
  for (const [i, { diffId, blob }] of packed.entries()) {
    const id = ids[i] ?? '';
    const parent = ids[i - 1];
    signal.throwIfAborted();
    await lease.hold(id);
    const underWay = early?.find(id);
    let made = underWay ? undefined : await graph.layers.find(id);
    if (made === undefined) {
      let sent = 0;
      const report = (current: number): Progress => ({
        kind: 'progress',
        layer: shortId(diffId),
        status: 'Loading layer',
        current,
        total: blob.size,
      });
      const count = (bytes: number) => {
        sent += bytes;
      };
      const apply = () => graph.layers.apply({ id, parent, diffId, blob: blob.digest }, count, signal);
      // What failed early was told to nobody: this time it is.
      const work = (underWay?.catch(apply) ?? apply()).catch((error: unknown) => rethrow(error, diffId));
      made = yield* reporting(work, () => report(sent));
      yield report(blob.size);
    }
    layers.push({ id, diffId, blob: blob.digest, size: made.size });
  }
  return layers;
}

/** To whom sends an archive it is one thing that is wrong, whoever notices. */
function rethrow(error: unknown, diffId: Digest): never {
  if (isServiceError(error, 'DIGEST_MISMATCH') || isServiceError(error, 'BAD_ARCHIVE')) {
    throw badArchive(`layer ${diffId}`, error.message, error);
  }
  throw error;
}
