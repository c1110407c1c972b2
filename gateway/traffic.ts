/** The requests in progress, so that a stop lets short ones end and cuts only streams. */
export interface Traffic {
  /** Notes a request, and how to see whether its answer has begun. Call what it returns when it is over. */
  enter(isAnswered: () => boolean): () => void;
  /** Resolves when no request is in progress but those whose answer has begun. */
  settled(): Promise<void>;
}

export function createTraffic(): Traffic {
  const active = new Set<() => boolean>();
  let whenSettled: () => void = () => {};
  const isSettled = () => [...active].every((isAnswered) => isAnswered());
  return {
    enter(isAnswered) {
      active.add(isAnswered);
      return () => {
        active.delete(isAnswered);
        if (isSettled()) whenSettled();
      };
    },
    settled() {
      if (isSettled()) return Promise.resolve();
      return new Promise((resolve) => {
        whenSettled = resolve;
      });
    },
  };
}
