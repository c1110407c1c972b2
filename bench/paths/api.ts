import type { Bench, Path } from '../bench.ts';
import { live } from '../client/container.ts';
import type { Contestant } from '../contestants/contestant.ts';
import type { Figure, Goal, Samples } from '../figure.ts';
import { quiet, rounds } from '../rounds.ts';
import { summarize } from '../statistics.ts';
import { prepareRuntimeFloor } from './runtime-floor.ts';

/** A container's whole life by four API calls, beside what the bare runtime needs for the same bundle. */
export const api: Path = {
  name: 'api',
  about: 'create, start, wait and delete by the API; and the bare crun run',
  async measure(bench) {
    const floor = await prepareFloor(bench);
    const floorSamples: number[] = [];
    const { contestants, embedded } = bench;
    await embedded?.start();
    const everyone = [...contestants, ...(embedded ? [embedded] : [])];
    const plan = { what: 'create, start, wait, delete', rounds: 100, warmUps: 5, budgetMs: 180_000 };
    const measured = await rounds(bench, everyone, plan, async (contestant) => {
      // Once a round, a moment before the first engine.
      if (contestant === contestants[0] && floor.run) {
        floorSamples.push(await floor.run());
        await quiet(bench);
      }
      return await timeLife(contestant);
    });
    await embedded?.stop();
    const { notes } = measured;
    const { longshore, embedded: one, ...peers } = measured.samples;
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
        samples: { longshore, ...peers },
        notes: [...notes, ...floor.notes],
        hasTail: true,
        goals: goals(0.22),
      },
      ...(one === undefined ? [] : [embeddedFigure({ longshore: one, ...peers })]),
    ];
  },
};

function embeddedFigure(samples: Samples): Figure {
  return {
    id: 'api-life-embedded',
    title: 'the same with `--embedded`',
    unit: 'ms',
    samples,
    hasTail: true,
    goals: goals(0.14),
  };
}

function goals(ofDockerd: number): Goal[] {
  return [
    { statistic: 'median', atMost: ofDockerd, times: 'dockerd' },
    { statistic: 'p99', atMost: 1.7, times: 'own median' },
  ];
}

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
