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

type Measured = Partial<Record<Contestant['name'], readonly number[] | undefined>>;

/** What the engines hold: idle after boot, after a burst, and for each container. */
export const memory: Path = {
  name: 'memory',
  about: `memory ${idleSeconds} s after boot, ${settleSeconds} s after 50 starts at once, and for each running container`,
  async measure(bench) {
    const { contestants, embedded } = bench;
    for (const contestant of contestants) await contestant.stop();
    // Alone: the seven would share Node's text with it.
    const one = embedded ? await weighIdle(bench, [embedded], 'embedded') : nothing;
    await embedded?.stop();
    const seven = await weighIdle(bench, contestants, 'after boot');

    const burst = { what: 'memory: 50 at once', rounds: 1, quickRounds: 1, warmUps: 0, budgetMs: 60_000 };
    const { notes } = await rounds(bench, contestants, burst, manyLives);
    await rest(bench, settleSeconds, 'memory: after 50 at once');
    const settled = weigh(contestants);

    const each = {
      what: `memory: ${sleepers} sleeping containers`,
      rounds: 1,
      quickRounds: 1,
      warmUps: 0,
      budgetMs: 60_000,
    };
    const perContainer = await rounds(bench, contestants, each, (contestant) => weighSleepers(bench, contestant));

    return [
      figure('idle', `${idleSeconds} s after boot, seven processes`, seven.shares, 175),
      figure('idle-alone', '— each page counted once', seven.pages),
      figure(
        'embedded',
        `${idleSeconds} s after boot, \`--embedded\``,
        { ...seven.shares, longshore: one.shares.embedded },
        80,
      ),
      figure('embedded-alone', '— each page counted once', { ...seven.pages, longshore: one.pages.embedded }),
      { ...figure('burst', `${settleSeconds} s after 50 starts at once`, settled.shares, 260), notes },
      figure('burst-alone', '— each page counted once', settled.pages),
      {
        id: 'memory-per-container',
        title: `for each of ${sleepers} sleeping containers`,
        unit: 'MiB',
        ...perContainer,
        goals: [{ statistic: 'median', atMost: 0.25, times: 'dockerd' }],
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

interface Weights {
  /** Proportional set sizes. */
  readonly shares: Measured;
  /** Distinct pages: what it would hold if no stranger shared any. */
  readonly pages: Measured;
}

const nothing: Weights = { shares: {}, pages: {} };

async function weighIdle(bench: Bench, contestants: readonly Contestant[], what: string): Promise<Weights> {
  for (const contestant of contestants) await contestant.start();
  await rest(bench, idleSeconds, `memory: ${what}, idle`);
  return weigh(contestants);
}

function weigh(contestants: readonly Contestant[]): Weights {
  const each = (measure: (pids: number[]) => number) =>
    Object.fromEntries(contestants.map(({ name, folder }) => [name, [measure(processesOf(folder))]]));
  return { shares: each(proportional), pages: each(distinct) };
}

/** By how much the engine with its monitors grows for each, in MiB; what runs in the container isn't counted. */
async function weighSleepers(bench: Bench, { api, folder, title }: Contestant): Promise<number> {
  const before = proportional(processesOf(folder));
  try {
    for (let count = 0; count < sleepers; count++) await start(api, await create(api, { command: ['sleep', '600'] }));
    // What is left of the starts is no container's.
    await rest(bench, idleSeconds, `memory: ${sleepers} sleeping containers of ${title}`);
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
