import { processes } from '../../integration-tests/machine.ts';
import type { Path } from '../bench.ts';
import type { Contestant } from '../contestants/contestant.ts';
import type { Figure } from '../figure.ts';
import { rounds } from '../rounds.ts';

/** From exec to the first answer, on roots that were used before. */
export const boot: Path = {
  name: 'boot',
  about: 'from exec to the first answered _ping',
  async measure(bench) {
    for (const contestant of bench.contestants) await contestant.stop();
    const everyone = [...bench.contestants, ...(bench.embedded ? [bench.embedded] : [])];
    const plan = { what: 'boot', rounds: 7, warmUps: 1, budgetMs: 90_000 };
    const { samples, notes } = await rounds(bench, everyone, plan, bootOnce);
    for (const contestant of bench.contestants) await contestant.start();

    const { longshore, embedded, ...peers } = samples;
    const figures: Figure[] = [
      {
        id: 'boot-supervised',
        title: 'boot to `_ping`, seven processes',
        unit: 'ms',
        samples: { longshore, ...peers },
        notes,
        goals: [{ statistic: 'median', atMost: 1.6, times: 'dockerd' }],
      },
    ];
    if (embedded) {
      figures.push({
        id: 'boot-embedded',
        title: 'boot to `_ping`, `--embedded`',
        unit: 'ms',
        samples: { longshore: embedded, ...peers },
        goals: [{ statistic: 'median', atMost: 0.9, times: 'dockerd' }],
      });
    }
    return figures;
  },
};

async function bootOnce(contestant: Contestant): Promise<number> {
  try {
    const took = await contestant.start();
    if (contestant.name === 'longshore') assertSevenRun(contestant.folder);
    return took;
  } finally {
    await contestant.stop();
  }
}

/** The gateway opens its socket last, so whoever is missing now has died. */
function assertSevenRun(folder: string): void {
  const count = processes().filter((line) => line.includes(folder) && line.includes('.cjs')).length;
  if (count !== 7) throw new Error(`it answers, but ${count} of seven processes run`);
}
