import { setTimeout as delay } from 'node:timers/promises';
import type { Bench, Path } from '../bench.ts';
import { create, removeAll, start } from '../client/container.ts';
import type { Contestant } from '../contestants/contestant.ts';
import type { Figure, Goal } from '../figure.ts';
import { distinct, proportional } from '../host/memory.ts';
import { processesOf } from '../host/processes.ts';
import { rounds } from '../rounds.ts';
import { manyLives } from './at-once.ts';

const idleSeconds = 30;
const settleSeconds = 60;
const sleepers = 20;

type Measured = Partial<Record<Contestant['name'], [number] | undefined>>;

/** What the engines hold: idle after boot, after a burst, and for each container. */
export const memory: Path = {
  name: 'memory',
  about: `memory ${idleSeconds} s after boot, ${settleSeconds} s after 50 starts at once, and for each running container`,
  async measure(bench) {
    for (const contestant of bench.contestants) await contestant.stop();
    const everyone = [...bench.contestants, ...(bench.embedded ? [bench.embedded] : [])];
    for (const contestant of everyone) await contestant.start();
    await rest(bench, idleSeconds, 'memory: idle after boot');
    const idle = look(everyone, proportional);
    const idleAlone = look(everyone, distinct);
    await bench.embedded?.stop();

    const burst = { what: 'memory: 50 at once', rounds: 1, quickRounds: 1, warmUps: 0, budgetMs: 60_000 };
    const { notes } = await rounds(bench, bench.contestants, burst, manyLives);
    await rest(bench, settleSeconds, 'memory: after 50 at once');
    const settled = look(bench.contestants, proportional);
    const settledAlone = look(bench.contestants, distinct);

    const each = {
      what: `memory: ${sleepers} sleeping containers`,
      rounds: 1,
      quickRounds: 1,
      warmUps: 0,
      budgetMs: 60_000,
    };
    const perContainer = await rounds(bench, bench.contestants, each, weighSleepers);

    const { longshore, embedded, ...peers } = idle;
    const { longshore: alone, embedded: embeddedAlone, ...peersAlone } = idleAlone;
    return [
      figure('idle', `${idleSeconds} s after boot, seven processes`, { longshore, ...peers }, 175),
      figure('idle-alone', '— each page counted once', { longshore: alone, ...peersAlone }),
      figure('embedded', `${idleSeconds} s after boot, \`--embedded\``, { longshore: embedded, ...peers }, 80),
      figure('embedded-alone', '— each page counted once', { longshore: embeddedAlone, ...peersAlone }),
      { ...figure('burst', `${settleSeconds} s after 50 starts at once`, settled, 260), notes },
      figure('burst-alone', '— each page counted once', settledAlone),
      {
        id: 'memory-per-container',
        title: `for each of ${sleepers} sleeping containers`,
        unit: 'MiB',
        ...perContainer,
        goals: [{ statistic: 'median', atMost: 0.5 }],
      },
    ];
  },
};

function figure(id: string, title: string, measured: Measured, atMost?: number): Figure {
  const goals: Goal[] = atMost === undefined ? [] : [{ statistic: 'median', atMost }];
  const { embedded: _, ...samples } = measured;
  return {
    id: `memory-${id}`,
    title: title.startsWith('—') ? title : `memory (PSS) ${title}`,
    unit: 'MiB',
    samples,
    goals,
  };
}

function look(contestants: readonly Contestant[], weigh: (pids: number[]) => number): Measured {
  return Object.fromEntries(contestants.map(({ name, folder }) => [name, [weigh(processesOf(folder))]]));
}

/** By how much the engine with its monitors grows for each, in MiB; what runs in the container isn't counted. */
async function weighSleepers({ api, folder }: Contestant): Promise<number> {
  const before = proportional(processesOf(folder));
  try {
    for (let count = 0; count < sleepers; count++) await start(api, await create(api, { command: ['sleep', '600'] }));
    return (proportional(processesOf(folder)) - before) / sleepers;
  } finally {
    await removeAll(api);
  }
}

async function rest(bench: Bench, seconds: number, what: string): Promise<void> {
  const total = bench.isQuick ? 5 : seconds;
  for (let left = total; left > 0; left--) {
    bench.say(`${what}, ${left} s to wait`);
    await delay(1_000, undefined, { signal: bench.signal });
  }
}
