import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Path } from '../bench.ts';
import { timeCommand } from '../client/command.ts';
import { big, bigArchive } from '../images/archive.ts';
import { rounds } from '../rounds.ts';

/** An image from a file, into an engine that has nothing of it. */
export const load: Path = {
  name: 'load',
  about: 'docker load of a big image',
  async measure(bench) {
    const file = join(bench.scratch, 'big.tar');
    const archive = bigArchive();
    writeFileSync(file, archive);
    const plan = { what: 'load', rounds: 5, warmUps: 1, budgetMs: 60_000 };
    const { samples, notes } = await rounds(bench, bench.contestants, plan, async ({ command }) => {
      // What the one before left unwritten would be written in this one's time.
      execFileSync('sync', ['-f', bench.scratch], { timeout: 30_000 });
      const took = await timeCommand(command, ['load', '-i', file]);
      await timeCommand(command, ['rmi', 'big']);
      return took;
    });
    const size = `${Math.round(archive.length / 1e6)} MB, ${big.layers} layers, ${big.layers * big.filesPerLayer} files`;
    return [
      {
        id: 'load-big',
        title: `\`load\` of ${size}`,
        unit: 'ms',
        samples,
        notes,
        goals: [{ statistic: 'median', atMost: 900 }],
      },
    ];
  },
};
