import { closeSync, openSync, readFileSync, readSync } from 'node:fs';

const pageSize = 4096;
const MiB = 1024 * 1024;

/**
 * The proportional set size of some processes, in MiB: a page counts for each process by its share. Text that strangers
 * map as well (another program on the same Node) is partly theirs.
 */
export function proportional(pids: readonly number[]): number {
  let kib = 0;
  for (const pid of pids) kib += Number(/^Pss:\s+(\d+) kB$/m.exec(readOr(`/proc/${pid}/smaps_rollup`))?.[1] ?? 0);
  return kib / 1024;
}

/** What the same processes would hold alone on the machine, in MiB: each page that any of them maps, once. */
export function distinct(pids: readonly number[]): number {
  const frames = new Set<number>();
  for (const pid of pids) addFrames(pid, frames);
  return (frames.size * pageSize) / MiB;
}

/** Page frame numbers, by pagemap (Documentation/admin-guide/mm/pagemap.rst): bits 0–54 of each entry, bit 63 'present'. */
function addFrames(pid: number, frames: Set<number>): void {
  let file: number;
  try {
    file = openSync(`/proc/${pid}/pagemap`, 'r');
  } catch {
    return;
  }
  try {
    for (const [start, end] of residentRanges(pid)) {
      const entries = Buffer.alloc(((end - start) / pageSize) * 8);
      const bytes = readSync(file, entries, 0, entries.length, (start / pageSize) * 8);
      for (let at = 0; at + 8 <= bytes; at += 8) {
        const high = entries.readUInt32LE(at + 4);
        if (high & 0x8000_0000) frames.add((high & 0x7f_ffff) * 2 ** 32 + entries.readUInt32LE(at));
      }
    }
  } finally {
    closeSync(file);
  }
}

/** Address ranges of which something is in memory. */
function residentRanges(pid: number): [number, number][] {
  const ranges: [number, number][] = [];
  let range: [number, number] | undefined;
  for (const line of readOr(`/proc/${pid}/smaps`).split('\n')) {
    const header = /^([0-9a-f]+)-([0-9a-f]+) /.exec(line);
    if (header?.[1] && header[2]) range = [Number.parseInt(header[1], 16), Number.parseInt(header[2], 16)];
    // The kernel's own pages above the user's addresses have no entries.
    else if (range && range[1] < 2 ** 47 && /^Rss:\s+[1-9]/.test(line)) ranges.push(range);
  }
  return ranges;
}

function readOr(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    // The process has ended meanwhile.
    return '';
  }
}
