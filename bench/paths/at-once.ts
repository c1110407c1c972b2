import type { Path } from '../bench.ts';
import { live } from '../client/container.ts';
import type { Contestant } from '../contestants/contestant.ts';
import { rounds } from '../rounds.ts';

const many = 50;

/** Fifty lives of a container at the same moment: the time until the last is over. */
export const atOnce: Path = {
  name: 'at-once',
  about: `${many} × create, start, wait and delete by the API at once`,
  async measure(bench) {
    const plan = { what: `${many} × create, start, wait, delete at once`, rounds: 3, warmUps: 1, budgetMs: 75_000 };
    const { samples, notes } = await rounds(bench, bench.contestants, plan, manyLives);
    return [
      {
        id: 'api-life-at-once',
        title: `${many} × the same at once, wall time`,
        unit: 'ms',
        samples,
        notes,
        goals: [{ statistic: 'median', atMost: 0.2, times: 'dockerd' }],
      },
    ];
  },
};

export async function manyLives({ api }: Contestant): Promise<number> {
  const begun = performance.now();
  await Promise.all(Array.from({ length: many }, () => live(api, { command: ['true'] })));
  return performance.now() - begun;
}
