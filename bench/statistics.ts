/** What is told about a set of measurements. All in the unit of the samples. */
export interface Summary {
  readonly count: number;
  readonly min: number;
  readonly median: number;
  readonly p99: number;
  readonly max: number;
}

/** Throws a RangeError when there are no samples. */
export function summarize(samples: readonly number[]): Summary {
  const sorted = samples.toSorted((a, b) => a - b);
  return {
    count: sorted.length,
    min: quantile(sorted, 0),
    median: quantile(sorted, 0.5),
    p99: quantile(sorted, 0.99),
    max: quantile(sorted, 1),
  };
}

/**
 * The value below which a share of the samples lies, interpolated between the two nearest ranks (Hyndman and Fan's type 7,
 * what R and NumPy do). The samples are sorted, the share is between 0 and 1.
 */
export function quantile(sorted: readonly number[], share: number): number {
  const rank = (sorted.length - 1) * share;
  const below = sorted[Math.floor(rank)];
  const above = sorted[Math.ceil(rank)];
  if (below === undefined || above === undefined)
    throw new RangeError(`no quantile ${share} of ${sorted.length} samples`);
  return below + (above - below) * (rank - Math.floor(rank));
}

/** How many times the median of one set is that of another; undefined when either is empty. */
export function ratio(
  samples: readonly number[] | undefined,
  others: readonly number[] | undefined,
): number | undefined {
  if (!samples?.length || !others?.length) return undefined;
  return summarize(samples).median / summarize(others).median;
}
