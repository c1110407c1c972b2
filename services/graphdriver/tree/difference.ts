import type { ByteString } from '../../../kit/archive/bytes.ts';
import type { Found } from '../../../kit/archive/describe.ts';
import { nothing, runtimeMountPoints } from './mount-points.ts';
import { overlayDifference } from './overlay-difference.ts';
import { treeDifference } from './tree-difference.ts';

/**
 * One path that differs between a layer and its parent. Paths are relative to the layer's root. Every added path below an
 * added directory is named, and a directory that differs in nothing but what is in it is a modified one. A deleted directory
 * is named alone.
 */
export type Difference =
  | { kind: 'added' | 'modified'; path: ByteString; found: Found }
  | { kind: 'deleted'; path: ByteString };

/** Where a layer's difference is to be read. Paths are byte strings; it crosses to a worker as it is. */
export type DifferenceSource = (
  | { kind: 'overlay'; upper: ByteString /** From the top down. */; lowers: ByteString[] }
  | { kind: 'trees'; tree: ByteString; parent: ByteString | undefined }
) & {
  /** Leave out what the runtime made to mount over. */
  hidesMountPoints: boolean;
};

/** Parents before children; each directory's names in order. The `found` of one is valid until the next is asked for. */
export function differences(source: DifferenceSource): Iterable<Difference> {
  const ignored = source.hidesMountPoints ? runtimeMountPoints : nothing;
  return source.kind === 'overlay'
    ? overlayDifference(source.upper, source.lowers, ignored)
    : treeDifference(source.tree, source.parent, ignored);
}
