import { type DifferenceSource, differences } from './difference.ts';

/** Bytes of file content in a layer's difference; a file with several names counts once. */
export function measureDifference(source: DifferenceSource): number {
  const counted = new Set<string>();
  let bytes = 0;
  for (const difference of differences(source)) {
    if (difference.kind === 'deleted') continue;
    const { stats } = difference.found;
    if (!stats.isFile()) continue;
    if (stats.nlink > 1n) {
      const inode = `${stats.dev}:${stats.ino}`;
      if (counted.has(inode)) continue;
      counted.add(inode);
    }
    bytes += Number(stats.size);
  }
  return bytes;
}
