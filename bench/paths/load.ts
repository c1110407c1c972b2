import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Path } from '../bench.ts';
import { timeCommand } from '../client/command.ts';
import type { Figure } from '../figure.ts';
import { big, bigArchive } from '../images/archive.ts';
import { rounds } from '../rounds.ts';

/**
 * An image from a file, into an engine that has nothing of it: another one each round. Removing the one before would spoil
 * the next minute for all, for ext4 steps over each inode that was freed lately whenever it makes a file.
 */
export const load: Path = {
  name: 'load',
  about: 'docker load of a big image',
  async measure(bench): Promise<Figure[]> {
    const file = join(bench.scratch, 'big.tar');
    let written = -1;
    const plan = { what: 'load', rounds: 5, warmUps: 1, budgetMs: 90_000 };
    const { samples, notes } = await rounds(bench, bench.contestants, plan, async ({ command }, round) => {
      if (round !== written) writeFileSync(file, bigArchive(round));
      written = round;
      // What the one before left unwritten would be written in this one's time.
      execFileSync('sync', ['-f', bench.scratch], { timeout: 30_000 });
      return await timeCommand(command, ['load', '-i', file]);
    });
    return [
      {
        id: 'load-big',
        title: `\`load\` of ${big.megabytes} MB, ${big.layers} layers, ${big.layers * big.filesPerLayer} files`,
        unit: 'ms',
        samples,
        notes,
        goals: [{ statistic: 'median', atMost: 900 }],
      },
    ];
  },
};
