import { defaultLimits } from '../../kit/archive/limits.ts';
import type { LayerDriver, LayerId } from './driver.ts';
import { errors } from './errors.ts';
import { hostProblem } from './host-problem.ts';
import { NoArchive } from './work/run-job.ts';
import type { WorkerPool } from './work/worker-pool.ts';

/** Where a layer's archive comes from. */
export type Archive =
  | { kind: 'file'; dataRoot: string; path: string; signal: AbortSignal }
  | { kind: 'stream'; pieces: AsyncIterable<Uint8Array>; signal: AbortSignal };

export interface ApplyOptions {
  driver: LayerDriver;
  pool: WorkerPool;
  id: LayerId;
  ancestors: readonly LayerId[];
  archive: Archive;
  /** Empty: whatever it is. */
  expectedDiffId: string;
}

/**
 * Unpacks an archive beside the layers, gives the layer its name and has it recorded. Whatever fails on the way, nothing is
 * left but files to sweep.
 */
export async function applyLayer<Answer>(
  { driver, pool, id, ancestors, archive, expectedDiffId }: ApplyOptions,
  record: (made: { diffId: string; size: number; isRootOpaque: boolean }) => Answer,
): Promise<Answer> {
  const { signal } = archive;
  try {
    const staging = await driver.stage(id, ancestors);
    try {
      const request = { target: staging.target, limits: defaultLimits };
      const made =
        archive.kind === 'file'
          ? await pool.run(
              'unpack',
              { ...request, archive: { dataRoot: archive.dataRoot, path: archive.path } },
              { signal },
            )
          : await pool.run('unpack', { ...request, archive: 'input' }, { input: archive.pieces, signal });
      if (expectedDiffId !== '' && made.diffId !== expectedDiffId) {
        throw errors.digestMismatch({ layer: id, expected: expectedDiffId, found: made.diffId });
      }
      signal.throwIfAborted();
      driver.seal(id, staging);
      const { diffId, size, isRootOpaque } = made;
      try {
        return record({ diffId, size, isRootOpaque });
      } catch (error) {
        driver.remove(id);
        throw error;
      }
    } catch (error) {
      driver.discard(staging);
      throw error;
    }
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    if (error instanceof NoArchive && archive.kind === 'file') {
      throw errors.blobNotFound({ path: archive.path }, { cause: error });
    }
    throw hostProblem(id, error, 'apply');
  }
}
