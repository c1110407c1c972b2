import type { Path } from '../bench.ts';
import { timeCommand } from '../client/command.ts';
import type { Figure, Goal } from '../figure.ts';
import { rounds } from '../rounds.ts';

const networks = ['bridge', 'none', 'host'] as const;

const goals: Goal[] = [
  { statistic: 'median', atMost: 0.4, times: 'dockerd' },
  { statistic: 'median', atMost: 0.4, times: 'podman' },
];

/** `docker run --rm busybox true`, as typed at a prompt. */
export const cli: Path = {
  name: 'cli',
  about: 'docker run --rm busybox true, one after the other',
  async measure(bench) {
    const figures: Figure[] = [];
    for (const network of networks) {
      const words = ['run', '--rm', ...(network === 'bridge' ? [] : ['--network', network]), 'busybox', 'true'];
      const plan = { what: words.join(' '), rounds: 20, warmUps: 2, budgetMs: 40_000 };
      const { samples, notes } = await rounds(bench, bench.contestants, plan, ({ command }) =>
        timeCommand(command, words),
      );
      figures.push({
        id: `cli-run-${network}`,
        title: `\`${words.join(' ')}\``,
        unit: 'ms',
        samples,
        notes,
        goals: network === 'bridge' ? goals : [],
      });
    }
    return figures;
  },
};
