import type { Logger } from '../../kit/log.ts';
import { detached } from '../../kit/rpc/call.ts';
import type { LayerDriver } from './driver.ts';

/** Deletes what removals leave, behind the callers' backs and one sweep at a time. */
export interface BackgroundSweep {
  soon(): void;
  /** What is not deleted yet stays for the next start. */
  stop(): void;
}

export function createBackgroundSweep(driver: LayerDriver, log: Logger): BackgroundSweep {
  let isRunning = false;
  let isAskedAgain = false;
  let isStopped = false;

  async function run(): Promise<void> {
    do {
      isAskedAgain = false;
      try {
        await driver.sweep();
      } catch (error) {
        // The next sweep, at the latest that of the next start, tries again.
        if (!isStopped) log.warn({ err: error }, 'some removed layers are not deleted yet');
      }
    } while (isAskedAgain && !isStopped);
    isRunning = false;
  }

  return {
    soon() {
      if (isStopped) return;
      isAskedAgain = true;
      if (isRunning) return;
      isRunning = true;
      void detached(run);
    },
    stop() {
      isStopped = true;
    },
  };
}
