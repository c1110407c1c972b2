/**
 * Keeps what is being put together from being collected. A *lease* holds keys (blobs or layers) from before their first
 * use until what refers to them is recorded. In memory only: after a restart nothing is being put together.
 */
export interface Leases {
  open(): Lease;
  /**
   * Runs `remove` unless a lease holds the key; who wants to hold it meanwhile waits until `remove` is done.
   * Says whether it ran.
   */
  collect(key: string, remove: () => Promise<void>): Promise<boolean>;
}

export interface Lease {
  hold(key: string): Promise<void>;
  /** Work in the background on what is held; a release waits for it. */
  attend(work: Promise<unknown>): void;
  /** Ends the lease; gives what it held, last first. */
  release(): Promise<string[]>;
}

export function createLeases(): Leases {
  const held = new Map<string, number>();
  const removals = new Map<string, Promise<void>>();

  return {
    open() {
      const keys = new Set<string>();
      const attended: Promise<unknown>[] = [];
      return {
        async hold(key) {
          if (keys.has(key)) return;
          keys.add(key);
          held.set(key, (held.get(key) ?? 0) + 1);
          // A removal that began earlier will not look again.
          for (let removal = removals.get(key); removal !== undefined; removal = removals.get(key)) {
            await removal.catch(() => undefined);
          }
        },
        attend(work) {
          // Whose work it is sees the failure.
          attended.push(work.catch(() => undefined));
        },
        async release() {
          await Promise.all(attended);
          for (const key of keys) {
            const others = (held.get(key) ?? 0) - 1;
            if (others > 0) held.set(key, others);
            else held.delete(key);
          }
          const released = [...keys].reverse();
          keys.clear();
          return released;
        },
      };
    },
    async collect(key, remove) {
      // Others that waited with us may have begun the next one.
      for (let other = removals.get(key); other !== undefined; other = removals.get(key)) {
        await other.catch(() => undefined);
      }
      if (held.has(key)) return false;
      const removal = remove().finally(() => removals.delete(key));
      removals.set(key, removal);
      await removal;
      return true;
    },
  };
}
