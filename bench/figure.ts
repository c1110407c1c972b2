import { summarize } from './statistics.ts';

/** Who is compared; the keys of a figure's samples. */
export const names = ['longshore', 'dockerd', 'podman'] as const;
export type Name = (typeof names)[number];

/** What was measured for each, in the order in which it was. */
export type Samples = Readonly<Partial<Record<Name, readonly number[] | undefined>>>;

/** One thing that was measured, for each contestant that was there. */
export interface Figure {
  /** Stable over the years: `cli-run-bridge`. */
  readonly id: string;
  readonly title: string;
  readonly unit: 'ms' | 'MiB';
  readonly samples: Samples;
  /** Whether the 99th percentile says something: needs many samples. */
  readonly hasTail?: boolean;
  readonly goals?: readonly Goal[];
  /** What a reader has to know: another engine's failure, the bare runtime's time, fewer rounds than planned. */
  readonly notes?: readonly string[];
}

/** What Longshore is to reach: a number in the figure's unit, or so many times what another engine or its own median needs. */
export interface Goal {
  readonly statistic: 'median' | 'p99';
  readonly atMost: number;
  readonly times?: Name | 'own median';
}

export interface Verdict {
  readonly goal: Goal;
  /** In the figure's unit. */
  readonly limit: number;
  readonly reached: number;
  readonly isMet: boolean;
}

/** Judges Longshore's samples; a goal that compares with an engine that was not measured is left out. */
export function verdicts({ goals = [], samples }: Figure): Verdict[] {
  const ours = samples.longshore;
  if (ours === undefined || ours.length === 0) return [];
  return goals.flatMap((goal) => {
    const { times } = goal;
    const other = times === undefined || times === 'own median' ? ours : samples[times];
    if (!other?.length) return [];
    const unit = times === undefined ? 1 : summarize(other)[times === 'own median' ? 'median' : goal.statistic];
    const limit = goal.atMost * unit;
    const reached = summarize(ours)[goal.statistic];
    return [{ goal, limit, reached, isMet: reached <= limit }];
  });
}
