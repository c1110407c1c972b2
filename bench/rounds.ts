import { setTimeout as pause } from 'node:timers/promises';
import type { Bench } from './bench.ts';
import type { Contestant } from './contestants/contestant.ts';

/**
 * To be waited for between two runs: the first process to join a cgroup waits 10 ms for the kernel after a quiet while, and none does for a
 * while after it, so that one engine would profit from the run of another.
 */
export const quiet = ({ signal }: Bench): Promise<void> => pause(100, undefined, { signal });

export interface RoundsPlan {
  /** What the person at the terminal reads. */
  readonly what: string;
  readonly rounds: number;
  /** With --quick; else a fifth, but at least two. */
  readonly quickRounds?: number;
  /** Rounds before those that count. */
  readonly warmUps: number;
  /** No further round is begun after this. */
  readonly budgetMs: number;
}

export interface Outcome {
  readonly samples: Partial<Record<Contestant['name'], number[]>>;
  readonly notes: string[];
}

/**
 * Lets the contestants run one after the other, round after round (A B C A B C …), so that a slow minute of the machine is
 * a slow minute for all. One that fails is left out from then on, and a note says so. `once` answers what one run took;
 * warm-ups are rounds too.
 */
export async function rounds(
  bench: Bench,
  contestants: readonly Contestant[],
  plan: RoundsPlan,
  once: (contestant: Contestant, round: number) => Promise<number>,
): Promise<Outcome> {
  const count = bench.isQuick ? (plan.quickRounds ?? Math.max(2, Math.ceil(plan.rounds / 5))) : plan.rounds;
  const warmUps = bench.isQuick ? Math.min(plan.warmUps, 1) : plan.warmUps;
  const samples: Partial<Record<Contestant['name'], number[]>> = {};
  const notes: string[] = [];
  let left = [...contestants];
  const deadline = performance.now() + plan.budgetMs;
  let done = 0;
  for (; done < count + warmUps && (done <= warmUps || performance.now() < deadline); done++) {
    bench.say(done < warmUps ? `${plan.what}: warm-up` : `${plan.what}: ${done - warmUps + 1} of ${count}`);
    for (const contestant of left) {
      await quiet(bench);
      try {
        const took = await once(contestant, done);
        if (done >= warmUps) samples[contestant.name] = [...(samples[contestant.name] ?? []), took];
      } catch (error) {
        bench.signal.throwIfAborted();
        left = left.filter((other) => other !== contestant);
        const reason = error instanceof Error ? error.message : String(error);
        notes.push(`${contestant.name} failed (${plan.what}): ${reason.slice(0, 300)}`);
        process.stderr.write(`\n${contestant.title} said last:\n${contestant.output().slice(-2_000)}\n`);
      }
    }
  }
  if (done - warmUps < count) notes.push(`${plan.what}: ${done - warmUps} of ${count} rounds, for want of time`);
  return { samples, notes };
}
