import type { Logger } from '../../kit/log.ts';
import { detached } from '../../kit/rpc/call.ts';
import type { LayerDriver } from './driver.ts';

/** Deletes what removals leave, behind the callers' backs and one sweep at a time. */
export interface BackgroundSweep {
  soon(): void;
  /** Resolves when nothing is being deleted. */
  done(): Promise<void>;
}

export function createBackgroundSweep(driver: LayerDriver, log: Logger): BackgroundSweep {
  let running: Promise<void> | undefined;
  let isAskedAgain = false;

  async function run(): Promise<void> {
    do {
      isAskedAgain = false;
      try {
        await driver.sweep();
      } catch (error) {
        // The next sweep, at the latest that of the next start, tries again.
        log.warn({ err: error }, 'some removed layers are not deleted yet');
      }
    } while (isAskedAgain);
    running = undefined;
  }

  return {
    soon() {
      isAskedAgain = true;
      running ??= detached(run);
    },
    done: async () => running,
  };
}
