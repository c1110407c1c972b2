import type { Records } from '../../kit/records.ts';
import type { LayerId } from './driver.ts';

/** Layers that were made without waiting for the disk: their owners make them again should a power cut take them. */
export interface FreshLayers {
  /** Its record is committed. */
  made(layer: LayerId): void;
  /** Resolves when a power cut cannot take it any more: what is written into it must not go with its record. */
  lasting(layer: LayerId): Promise<void>;
}

export function createFreshLayers(records: Pick<Records, 'synced'>): FreshLayers {
  const onTheirWay = new Map<LayerId, Promise<void>>();
  return {
    made(layer) {
      const synced = records.synced().then(() => void onTheirWay.delete(layer));
      // Who wants to use it hears of it.
      synced.catch(() => undefined);
      onTheirWay.set(layer, synced);
    },
    async lasting(layer) {
      const first = onTheirWay.get(layer);
      if (first === undefined) return;
      await first.catch(() => records.synced());
      onTheirWay.delete(layer);
    },
  };
}
