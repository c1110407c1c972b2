import { join } from 'node:path';
import type { LayerHome } from './home.ts';

/** Deletes a home's leftovers one by one and gives their number. Goes on after a problem, and throws all of them at the end. */
export async function sweepHome(
  home: LayerHome,
  remove: (path: string, name: string) => Promise<void>,
): Promise<number> {
  const problems: unknown[] = [];
  const leftovers = home.leftovers();
  for (const name of leftovers) {
    try {
      await remove(join(home.directory, name), name);
    } catch (error) {
      problems.push(error);
    }
  }
  if (problems.length > 0) throw new AggregateError(problems, `${problems.length} removed layers could not be deleted`);
  return leftovers.length;
}
