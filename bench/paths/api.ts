import type { Bench, Path } from '../bench.ts';
import { live } from '../client/container.ts';
import type { Contestant } from '../contestants/contestant.ts';
import { rounds } from '../rounds.ts';
import { summarize } from '../statistics.ts';
import { prepareRuntimeFloor } from './runtime-floor.ts';

/** A container's whole life by four API calls, beside what the bare runtime needs for the same bundle. */
export const api: Path = {
  name: 'api',
  about: 'create, start, wait and delete by the API; and the bare crun run',
  async measure(bench) {
    const floor = await prepareFloor(bench);
    const floorSamples: number[] = [];
    const plan = { what: 'create, start, wait, delete', rounds: 100, warmUps: 5, budgetMs: 150_000 };
    const { samples, notes } = await rounds(bench, bench.contestants, plan, async (contestant) => {
      // Once a round, in the same breath as the first engine.
      if (contestant === bench.contestants[0] && floor.run) floorSamples.push(await floor.run());
      return await timeLife(contestant);
    });
    if (floorSamples.length > 0) {
      const { median, min, max, count } = summarize(floorSamples);
      const figures = [median, min, max].map((value) => value.toFixed(1));
      notes.push(
        `bare \`crun run\` of the bundle that ${floor.origin} wrote: ${figures[0]} ms (${figures[1]}–${figures[2]}, n = ${count})`,
      );
    }
    return [
      {
        id: 'api-life-bridge',
        title: 'API create + start + wait + delete, bridge',
        unit: 'ms',
        samples,
        notes: [...notes, ...floor.notes],
        hasTail: true,
        goals: [
          { statistic: 'median', atMost: 60 },
          { statistic: 'p99', atMost: 100 },
        ],
      },
    ];
  },
};

async function timeLife({ api }: Contestant): Promise<number> {
  const begun = performance.now();
  await live(api, { command: ['true'] });
  return performance.now() - begun;
}

async function prepareFloor(bench: Bench) {
  const owner = bench.contestants[0];
  const none = { run: undefined, origin: '', notes: [] };
  if (owner === undefined) return none;
  try {
    return { run: await prepareRuntimeFloor(owner, bench.scratch), origin: owner.title, notes: [] };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { ...none, notes: [`no bare runtime beside it: ${reason.slice(0, 300)}`] };
  }
}
