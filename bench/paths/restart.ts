import type { Path } from '../bench.ts';
import { create, removeAll, start } from '../client/container.ts';
import type { Contestant } from '../contestants/contestant.ts';
import type { Figure } from '../figure.ts';
import { rounds } from '../rounds.ts';

const containers = 200;

/** A restart of the whole engine while half of its containers run on. The others' engines end theirs, or are not told to keep them. */
export const restart: Path = {
  name: 'restart',
  about: `from exec to the first answered _ping with ${containers} containers, half of them running`,
  async measure(bench) {
    const longshore = bench.contestants.filter(({ name }) => name === 'longshore');
    const count = bench.isQuick ? containers / 10 : containers;
    for (const contestant of longshore) await fill(contestant, count, bench.say);
    const plan = { what: 'restart', rounds: 7, warmUps: 1, budgetMs: 90_000 };
    const { samples, notes } = await rounds(bench, longshore, plan, async (contestant) => {
      await contestant.stop();
      return contestant.start();
    });
    for (const contestant of longshore) await removeAll(contestant.api);
    const figure: Figure = {
      id: 'restart',
      title: `restart to \`_ping\` with ${count} containers, half of them running`,
      unit: 'ms',
      samples,
      notes,
      goals: [{ statistic: 'median', atMost: 2_000 }],
    };
    return [figure];
  },
};

async function fill({ api }: Contestant, count: number, say: (what: string) => void): Promise<void> {
  for (let at = 0; at < count; at++) {
    if (at % 20 === 0) say(`restart: ${at} of ${count} containers`);
    const id = await create(api, { command: ['sleep', '10000'] });
    if (at % 2 === 0) await start(api, id);
  }
}
