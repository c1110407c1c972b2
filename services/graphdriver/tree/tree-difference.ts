import type { BigIntStats } from 'node:fs';
import type { ByteString } from '../../../kit/archive/bytes.ts';
import { ifThere, joined, linkTargetAt, namesIn, openChild, openRoot, statAt } from '../../../kit/archive/directory.ts';
import { closeDescriptor } from '../../../kit/linux/libc.ts';
import type { Difference } from './difference.ts';
import type { Ignored } from './mount-points.ts';

/** The difference between two whole trees, for drivers that keep every layer whole. No parent: all of it is added. */
export function* treeDifference(
  tree: ByteString,
  parent: ByteString | undefined,
  ignored: Ignored,
): Generator<Difference, void> {
  const root = openRoot(tree);
  const before = parent === undefined ? undefined : openRoot(parent);
  try {
    yield* inDirectory(root, before, '', ignored);
  } finally {
    closeDescriptor(root);
    if (before !== undefined) closeDescriptor(before);
  }
}

function* inDirectory(
  directory: number,
  parent: number | undefined,
  path: ByteString,
  ignored: Ignored,
): Generator<Difference, void> {
  const names = new Set(namesIn(directory));
  if (parent !== undefined) for (const name of namesIn(parent)) names.add(name);
  for (const name of [...names].sort()) {
    const childPath = joined(path, name);
    const stats = statAt(directory, name);
    const before = parent === undefined ? undefined : statAt(parent, name);
    if (stats === undefined) {
      if (before !== undefined) yield { kind: 'deleted', path: childPath };
      continue;
    }
    const kind = before === undefined ? 'added' : 'modified';
    const difference: Difference = { kind, path: childPath, found: { directory, name, stats } };
    if (!stats.isDirectory()) {
      const isSame =
        before === undefined || parent === undefined
          ? ignored.file(childPath, stats)
          : areSame(name, directory, stats, parent, before);
      if (!isSame) yield difference;
      continue;
    }
    const isTouched =
      before === undefined
        ? !ignored.directory(childPath)
        : !before.isDirectory() || !haveSameAttributes(before, stats);
    if (isTouched) yield difference;
    const child = ifThere(() => openChild(directory, name));
    if (child === undefined) continue;
    const childBefore = before?.isDirectory() && parent !== undefined ? openChild(parent, name) : undefined;
    try {
      const within = inDirectory(child, childBefore, childPath, ignored);
      yield* isTouched ? within : behind(difference, within);
    } finally {
      closeDescriptor(child);
      if (childBefore !== undefined) closeDescriptor(childBefore);
    }
  }
}

/** `first`, but only when something follows it. */
export function* behind(first: Difference, rest: Iterable<Difference>): Generator<Difference, void> {
  let isFirst = true;
  for (const difference of rest) {
    if (isFirst) yield first;
    isFirst = false;
    yield difference;
  }
}

/** Type, permissions and owner. A directory's times and size say nothing: they change with what is in it. */
export function haveSameAttributes(one: BigIntStats, other: BigIntStats): boolean {
  return one.mode === other.mode && one.uid === other.uid && one.gid === other.gid;
}

/** Content is taken for equal when size and time (to the nanosecond) are. */
function areSame(
  name: ByteString,
  directory: number,
  stats: BigIntStats,
  parent: number,
  before: BigIntStats,
): boolean {
  if (!haveSameAttributes(stats, before) || stats.rdev !== before.rdev) return false;
  if (stats.isSymbolicLink()) {
    return ifThere(() => linkTargetAt(directory, name)) === linkTargetAt(parent, name);
  }
  return stats.size === before.size && stats.mtimeNs === before.mtimeNs;
}
