/** What the monitors have of time. */
export interface Clock {
  /** Milliseconds since 1970. */
  nowMs(): number;
  /** Calls once, later; the function given back calls it off. */
  after(ms: number, work: () => void): () => void;
}

/** setTimeout takes no more; about 24 days. */
const longestTimerMs = 2 ** 31 - 1;

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  after(ms, work) {
    const timer = setTimeout(work, Math.min(ms, longestTimerMs)).unref();
    return () => clearTimeout(timer);
  },
};
