import { existsSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { freeBytes, keptFree } from './disk-space.ts';

const reserved = 512 * 1024;
/** After it was given up. */
const refillAfterMs = 10_000;

/** A file of nothing beside the records, so that on a full disk there is room to record what goes. */
export interface DiskReserve {
  /** Unless it is there. */
  fill(): void;
  giveUp(): void;
  /** Makes it again, once that is likely to work. */
  refill(): void;
}

export function openDiskReserve(path: string): DiskReserve {
  let givenUpAt: number | undefined;

  function fill(): void {
    try {
      if (existsSync(path) && statSync(path).size === reserved) return;
      // Not from what others may need at this moment.
      if (freeBytes(dirname(path)) < keptFree) {
        givenUpAt = Date.now();
        return;
      }
      writeFileSync(path, Buffer.alloc(reserved), { mode: 0o600 });
    } catch {
      rmSync(path, { force: true });
      givenUpAt = Date.now();
    }
  }

  return {
    fill,
    giveUp() {
      rmSync(path, { force: true });
      givenUpAt = Date.now();
    },
    refill() {
      if (givenUpAt === undefined || Date.now() - givenUpAt < refillAfterMs) return;
      givenUpAt = undefined;
      fill();
    },
  };
}
