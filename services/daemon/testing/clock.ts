import type { Clock } from '../containers/health/clock.ts';

/** A clock that stands still until it is told to go on. */
export interface TestClock extends Clock {
  /** Goes on, and does what falls due meanwhile, each at its time; then lets what began by it come to its next wait. */
  advance(ms: number): Promise<void>;
  /** How long until the next thing falls due, in milliseconds; undefined: nothing will. */
  readonly next: number | undefined;
}

export function createTestClock(): TestClock {
  let nowMs = Date.now();
  const due = new Set<{ atMs: number; work: () => void }>();
  const first = () => [...due].sort((one, other) => one.atMs - other.atMs)[0];
  return {
    nowMs: () => nowMs,
    after(ms, work) {
      const timer = { atMs: nowMs + ms, work };
      due.add(timer);
      return () => void due.delete(timer);
    },
    get next() {
      const timer = first();
      return timer && timer.atMs - nowMs;
    },
    async advance(ms) {
      const endMs = nowMs + ms;
      for (let timer = first(); timer !== undefined && timer.atMs <= endMs; timer = first()) {
        due.delete(timer);
        nowMs = timer.atMs;
        timer.work();
        // The calls of a test engine come to their ends within a turn of the event loop.
        await new Promise((resolve) => setImmediate(resolve));
      }
      nowMs = endMs;
    },
  };
}
