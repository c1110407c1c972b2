/** Runs what has the same key one after the other, in the order it was asked for. Different keys do not wait for each other. */
export interface KeyedQueue {
  /** A failure is its own caller's; the next in the line runs all the same. */
  run<T>(key: string, work: () => Promise<T> | T): Promise<T>;
  /** Keys with work running or waiting. */
  readonly size: number;
}

export function createKeyedQueue(): KeyedQueue {
  const tails = new Map<string, Promise<unknown>>();
  return {
    get size() {
      return tails.size;
    },
    run(key, work) {
      const previous = tails.get(key);
      const result = previous === undefined ? Promise.resolve().then(work) : previous.then(work);
      const tail = result.then(ignore, ignore).then(() => {
        if (tails.get(key) === tail) tails.delete(key);
      });
      tails.set(key, tail);
      return result;
    },
  };
}

function ignore(): void {}
