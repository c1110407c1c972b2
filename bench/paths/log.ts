import type { Path } from '../bench.ts';
import { create, remove, start, wait } from '../client/container.ts';
import { drain } from '../client/drain.ts';
import type { Contestant } from '../contestants/contestant.ts';
import { rounds } from '../rounds.ts';

const bytes = 200_000_000;
const line = 'a line of a hundred bytes with its newline, as a server would write it for each request, say'.padEnd(
  99,
  '.',
);

/** 200 MB of standard output into the log, and back by the API. */
export const log: Path = {
  name: 'log',
  about: '200 MB of standard output into the log, and read back',
  async measure(bench) {
    const reading: Partial<Record<Contestant['name'], number[]>> = {};
    const plan = { what: '200 MB of log', rounds: 3, quickRounds: 1, warmUps: 0, budgetMs: 100_000 };
    const writing = await rounds(bench, bench.contestants, plan, async (contestant) => {
      const { written, read } = await writeAndRead(contestant);
      reading[contestant.name] = [...(reading[contestant.name] ?? []), read];
      return written;
    });
    return [
      {
        id: 'log-write',
        title: '200 MB of stdout into the log',
        unit: 'ms',
        ...writing,
        goals: [{ statistic: 'median', atMost: 0.3, times: 'dockerd' }],
      },
      {
        id: 'log-read',
        title: 'the same read back by the API',
        unit: 'ms',
        samples: reading,
        goals: [{ statistic: 'median', atMost: 0.2, times: 'dockerd' }],
      },
    ];
  },
};

async function writeAndRead({ api, socket }: Contestant): Promise<{ written: number; read: number }> {
  const id = await create(api, { command: ['sh', '-c', `yes '${line}' | head -c ${bytes}`], network: 'none' });
  try {
    const begun = performance.now();
    await start(api, id);
    await wait(api, id);
    const written = performance.now() - begun;
    const count = await drain(socket, `/v1.41/containers/${id}/logs?stdout=1&stderr=1`);
    // Each piece comes with a header, so it is more than was written.
    if (count < bytes) throw new Error(`only ${count} of ${bytes} bytes came back`);
    return { written, read: performance.now() - begun - written };
  } finally {
    await remove(api, id);
  }
}
