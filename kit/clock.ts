/** Nanoseconds between 1970 and the start of the monotonic clock, taken once: both clocks then count with its resolution. */
const origin = BigInt(Date.now()) * 1_000_000n - process.hrtime.bigint();
/** A clock that was set since differs from Date.now() by more than the two readings take. */
const drift = 5_000_000n;

/** Now, in nanoseconds since 1970. */
export function nowNs(): bigint {
  const precise = origin + process.hrtime.bigint();
  const coarse = BigInt(Date.now()) * 1_000_000n;
  const difference = precise - coarse;
  return difference > drift || difference < -drift ? coarse : precise;
}
