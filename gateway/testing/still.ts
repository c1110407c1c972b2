import { setTimeout as delay } from 'node:timers/promises';

/** Waits until a count has not moved for a while: both sides hold still, since one of them waits for the other. */
export async function untilStill(count: () => number): Promise<void> {
  for (let looks = 0, before = -1; looks < 20; looks++) {
    await delay(10);
    if (count() !== before) looks = 0;
    before = count();
  }
}
