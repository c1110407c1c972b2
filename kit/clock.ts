/**
 * Nanoseconds between 1970 and the start of the monotonic clock, taken once: both clocks then count with its resolution. Good to
 * a microsecond; taken from Date.now() it would be up to a millisecond behind, and what has just happened before its time.
 */
const origin =
  BigInt(Math.round((performance.timeOrigin + performance.now()) * 1000)) * 1000n - process.hrtime.bigint();
/** A clock that was set since differs from Date.now() by more than the two readings take. */
const drift = 5_000_000n;

/** Now, in nanoseconds since 1970. */
export function nowNs(): bigint {
  const precise = origin + process.hrtime.bigint();
  const coarse = BigInt(Date.now()) * 1_000_000n;
  const difference = precise - coarse;
  return difference > drift || difference < -drift ? coarse : precise;
}
