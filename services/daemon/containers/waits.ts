/** How a container ended. */
export interface Ended {
  code: number;
  /** Its removal was waited for and failed. */
  error?: string;
}

/** Those who wait for containers. A wait holds no lock and is in no queue. */
export interface Waits {
  /** Settles at the next exit, or when the container is gone. */
  nextExit(id: string, signal?: AbortSignal): Promise<Ended>;
  /** Settles when the container is gone, or cannot be removed. */
  removal(id: string, signal?: AbortSignal): Promise<Ended>;
  exited(id: string, ended: Ended): void;
  removed(id: string, ended: Ended): void;
}

type Wake = (ended: Ended) => void;

export function createWaits(): Waits {
  const exits = new Map<string, Set<Wake>>();
  const removals = new Map<string, Set<Wake>>();

  const wait = (waiting: Map<string, Set<Wake>>, id: string, signal?: AbortSignal): Promise<Ended> =>
    new Promise((resolve, reject) => {
      const wakes = waiting.get(id) ?? new Set<Wake>();
      waiting.set(id, wakes);
      const wake: Wake = (ended) => {
        signal?.removeEventListener('abort', give);
        resolve(ended);
      };
      const give = () => {
        wakes.delete(wake);
        if (wakes.size === 0 && waiting.get(id) === wakes) waiting.delete(id);
        reject(signal?.reason);
      };
      wakes.add(wake);
      if (signal?.aborted === true) give();
      else signal?.addEventListener('abort', give, { once: true });
    });
  const wakeAll = (waiting: Map<string, Set<Wake>>, id: string, ended: Ended) => {
    const wakes = waiting.get(id) ?? [];
    waiting.delete(id);
    for (const wake of wakes) wake(ended);
  };

  return {
    nextExit: (id, signal) => wait(exits, id, signal),
    removal: (id, signal) => wait(removals, id, signal),
    exited: (id, ended) => wakeAll(exits, id, ended),
    removed(id, ended) {
      wakeAll(exits, id, ended);
      wakeAll(removals, id, ended);
    },
  };
}
