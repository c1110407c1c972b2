import type { LayerId } from './driver.ts';

export interface LayerUse {
  /** `the parent of`, `read by` */
  use: string;
  holder: string;
}

/** Uses of layers that no record tells of, because they end with this process: a child in the making, a reader. */
export interface LayerUses {
  /** Until the result is disposed of. */
  begin(layer: LayerId, use: string, holder: string): Disposable;
  /** One of them. */
  of(layer: LayerId): LayerUse | undefined;
}

export function createLayerUses(): LayerUses {
  const uses = new Map<LayerId, Set<LayerUse>>();
  return {
    begin(layer, use, holder) {
      const entry = { use, holder };
      const all = uses.get(layer) ?? new Set();
      uses.set(layer, all.add(entry));
      return {
        [Symbol.dispose]() {
          all.delete(entry);
          if (all.size === 0) uses.delete(layer);
        },
      };
    },
    of(layer) {
      const [first] = uses.get(layer) ?? [];
      return first;
    },
  };
}
