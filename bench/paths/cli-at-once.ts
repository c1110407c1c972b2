import type { Path } from '../bench.ts';
import { timeTogether } from '../client/command.ts';
import { rounds } from '../rounds.ts';

const many = 20;

/** Twenty prompts at the same moment: the time until the last one is back. */
export const cliAtOnce: Path = {
  name: 'cli-at-once',
  about: `${many} of docker run --rm busybox true at once`,
  async measure(bench) {
    const plan = { what: `${many} × run --rm at once`, rounds: 5, warmUps: 1, budgetMs: 60_000 };
    const { samples, notes } = await rounds(bench, bench.contestants, plan, ({ command }) =>
      timeTogether(command, ['run', '--rm', 'busybox', 'true'], many),
    );
    return [
      {
        id: 'cli-run-at-once',
        title: `${many} × \`run --rm busybox true\` at once, wall time`,
        unit: 'ms',
        samples,
        notes,
        goals: [{ statistic: 'median', atMost: 0.25, times: 'dockerd' }],
      },
    ];
  },
};
