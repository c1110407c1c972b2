import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import type { Hierarchies } from './hierarchies.ts';
import { childCgroups } from './tree.ts';

/**
 * Gives the engine's own cgroup as much real-time scheduling as its containers have together, with what one more asks for:
 * a group has none by itself, and the kernel lets it hand on no more than it has. Microseconds; version 1 alone has such groups.
 */
export function reserveRealtime(
  hierarchies: Hierarchies,
  parent: string,
  asked: { runtime: number; period: number },
): void {
  const directory = hierarchies.layout === 'v2' ? undefined : hierarchies.directoryOf('cpu', parent);
  if (directory === undefined || asked.runtime <= 0) return;
  mkdirSync(directory, { recursive: true });
  const shareOf = (group: string) => numberIn(group, 'runtime') / numberIn(group, 'period');
  const taken = childCgroups(directory).map((name) => shareOf(`${directory}/${name}`));
  const period = numberIn(directory, 'period');
  const share = taken.reduce((sum, one) => sum + one, asked.runtime / (asked.period || usualPeriod));
  const runtime = Math.ceil(share * period);
  if (runtime > numberIn(directory, 'runtime')) writeFileSync(`${directory}/cpu.rt_runtime_us`, `${runtime}`);
}

/** The kernel's. */
const usualPeriod = 1_000_000;

function numberIn(group: string, name: 'runtime' | 'period'): number {
  try {
    return Number(readFileSync(`${group}/cpu.rt_${name}_us`, 'utf8'));
  } catch {
    // It has ended meanwhile, and has nothing any more.
    return name === 'period' ? usualPeriod : 0;
  }
}
