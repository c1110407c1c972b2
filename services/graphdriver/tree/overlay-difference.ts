import type { ByteString } from '../../../kit/archive/bytes.ts';
import { ifThere, joined, namesIn, openChild, openRoot, pathAt, statAt } from '../../../kit/archive/directory.ts';
import { closeDescriptor } from '../../../kit/linux/libc.ts';
import type { Difference } from './difference.ts';
import { type MergedDirectory, mergedDirectory } from './merged.ts';
import type { Ignored } from './mount-points.ts';
import { isOpaque, isOverlayWhiteout } from './overlay-marks.ts';
import { behind, haveSameAttributes } from './tree-difference.ts';

/** The difference that an overlay's upper directory makes to the layers below it. */
export function* overlayDifference(
  upper: ByteString,
  lowers: readonly ByteString[],
  ignored: Ignored,
): Generator<Difference, void> {
  const root = openRoot(upper);
  try {
    yield* inDirectory(root, '', mergedDirectory(lowers), isOpaque(pathAt(root, '.')), ignored);
  } finally {
    closeDescriptor(root);
  }
}

/** `hidesBelow`: nothing of `below` shows through, so what isn't here is deleted. */
function* inDirectory(
  directory: number,
  path: ByteString,
  below: MergedDirectory,
  hidesBelow: boolean,
  ignored: Ignored,
): Generator<Difference, void> {
  const names = new Set(namesIn(directory));
  if (hidesBelow) for (const name of below.names()) names.add(name);
  for (const name of [...names].sort()) {
    const childPath = joined(path, name);
    const stats = statAt(directory, name);
    const before = below.find(name);
    if (stats === undefined || isOverlayWhiteout(stats)) {
      if (before !== undefined) yield { kind: 'deleted', path: childPath };
      continue;
    }
    const kind = before === undefined ? 'added' : 'modified';
    const difference: Difference = { kind, path: childPath, found: { directory, name, stats } };
    if (!stats.isDirectory()) {
      if (kind === 'modified' || !ignored.file(childPath, stats)) yield difference;
      continue;
    }
    // A directory is copied up as soon as something in it is touched, even if nothing comes of it.
    const isTouched =
      before === undefined
        ? !ignored.directory(childPath)
        : !before.isDirectory() || !haveSameAttributes(before, stats);
    if (isTouched) yield difference;
    const child = ifThere(() => openChild(directory, name));
    if (child === undefined) continue;
    try {
      const hides = hidesBelow || isOpaque(pathAt(child, '.'));
      const within = inDirectory(child, childPath, below.child(name), hides, ignored);
      yield* isTouched ? within : behind(difference, within);
    } finally {
      closeDescriptor(child);
    }
  }
}
