import type { DriverName } from './driver.ts';
import { errors } from './errors.ts';

/** What the choice needs to know of a driver. */
export interface Candidate {
  name: DriverName;
  problem(): string | undefined;
  wasUsed(engineId: string): boolean;
}

export type ChosenBecause = 'named' | 'used before' | 'first that works here';

export interface Selection<C> {
  choice: C;
  because: ChosenBecause;
  /** Why the ones before it in the order were not taken. */
  passedOver: readonly string[];
}

/**
 * The driver named; else the one that was used on this root before, so that its layers are found again; else the first
 * that works here. A driver is never exchanged for another behind the user's back: the first two cases fail if it doesn't work.
 */
export function selectDriver<C extends Candidate>(
  candidates: readonly C[],
  { named, root, engineId }: { named: string; root: string; engineId: string },
): Selection<C> {
  const checked = (choice: C, because: ChosenBecause) => {
    const problem = choice.problem();
    if (problem !== undefined) throw errors.driverUnsupported({ driver: choice.name, root, problem });
    return { choice, because, passedOver: [] };
  };

  if (named !== '') {
    const choice = candidates.find(({ name }) => name === named);
    if (choice !== undefined) return checked(choice, 'named');
    throw errors.driverUnknown({ driver: named, known: candidates.map(({ name }) => name).join(', ') });
  }

  const [used, ...more] = candidates.filter((candidate) => candidate.wasUsed(engineId));
  if (used !== undefined) {
    if (more.length === 0) return checked(used, 'used before');
    throw errors.severalDrivers({ root, drivers: [used, ...more].map(({ name }) => name).join(', ') });
  }

  const problems: string[] = [];
  for (const choice of candidates) {
    const problem = choice.problem();
    if (problem === undefined) return { choice, because: 'first that works here', passedOver: problems };
    problems.push(`${choice.name}: ${problem}`);
  }
  throw errors.noDriver({ root, problems: problems.join('; ') });
}
