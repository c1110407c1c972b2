/** A pipe into a process: what is pushed is read in order, until the end. */
export interface Input extends AsyncIterableIterator<Buffer> {
  push(bytes: Buffer): void;
  end(): void;
}

export function createInput(): Input {
  const chunks: Buffer[] = [];
  let ended = false;
  let more = Promise.withResolvers<void>();
  const wake = () => {
    const waiting = more;
    more = Promise.withResolvers();
    waiting.resolve();
  };
  const input: Input = {
    push(bytes) {
      if (ended || bytes.length === 0) return;
      chunks.push(bytes);
      wake();
    },
    end() {
      ended = true;
      wake();
    },
    async next() {
      for (;;) {
        const chunk = chunks.shift();
        if (chunk !== undefined) return { done: false, value: chunk };
        if (ended) return { done: true, value: undefined };
        await more.promise;
      }
    },
    [Symbol.asyncIterator]: () => input,
  };
  return input;
}
