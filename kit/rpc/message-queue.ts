/** As much as HTTP/2 has on its way in one of our streams. */
const window = 256 * 1024;

/** Messages on their way from one end of a stream to the other, in one process. */
export interface MessageQueue {
  /** Resolves when there is room for more; false: nothing is taken any more. */
  put(message: Uint8Array): Promise<boolean>;
  /** What was put is still taken. */
  end(error?: Error): void;
  /** Nothing is taken any more, and whoever waits for room may go on. Without an error the stream just ends. */
  cut(error?: Error): void;
  /** The next; undefined at the end. Throws the error that it was ended with. */
  take(): Promise<Uint8Array | undefined>;
}

export function createMessageQueue(): MessageQueue {
  const waiting: Uint8Array[] = [];
  let size = 0;
  let over: { error: Error | undefined } | undefined;
  let hasCome = () => {};
  let hasRoom = () => {};

  return {
    async put(message) {
      if (over !== undefined) return false;
      waiting.push(message);
      size += message.length;
      hasCome();
      if (size >= window) {
        await new Promise<void>((resolve) => {
          hasRoom = resolve;
        });
      }
      return over === undefined;
    },
    end(error) {
      over ??= { error };
      hasCome();
    },
    cut(error) {
      waiting.length = 0;
      size = 0;
      over ??= { error };
      hasCome();
      hasRoom();
    },
    async take() {
      for (;;) {
        const message = waiting.shift();
        if (message !== undefined) {
          size -= message.length;
          if (size < window) hasRoom();
          return message;
        }
        if (over?.error !== undefined) throw over.error;
        if (over !== undefined) return undefined;
        await new Promise<void>((resolve) => {
          hasCome = resolve;
        });
      }
    },
  };
}
