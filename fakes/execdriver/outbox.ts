import { errors } from './errors.ts';

/** A client this far behind has to take something each second. */
const farBehind = 1024 * 1024;
const patienceMs = 1000;

/** Messages on their way to one client, in order. */
export interface Outbox<T> {
  put(message: T, bytes?: number): void;
  /** Nothing comes after this. */
  end(): void;
  /** CLIENT_TOO_SLOW when the client takes nothing while it is far behind. */
  messages(): AsyncGenerator<T, void, undefined>;
}

export function createOutbox<T>(): Outbox<T> {
  const queue: { message: T; bytes: number }[] = [];
  let behind = 0;
  let isOver = false;
  let tooSlow: Error | undefined;
  let impatience: NodeJS.Timeout | undefined;
  let more = Promise.withResolvers<void>();
  const wake = () => {
    const waiting = more;
    more = Promise.withResolvers();
    waiting.resolve();
  };
  const calm = () => {
    clearTimeout(impatience);
    impatience = undefined;
  };
  const drop = () => {
    tooSlow = errors.clientTooSlow({ behind });
    isOver = true;
    queue.length = 0;
    wake();
  };
  return {
    put(message, bytes = 0) {
      if (isOver) return;
      behind += bytes;
      queue.push({ message, bytes });
      if (behind > farBehind) impatience ??= setTimeout(drop, patienceMs).unref();
      wake();
    },
    end() {
      isOver = true;
      wake();
    },
    async *messages() {
      try {
        for (;;) {
          const next = queue.shift();
          if (next !== undefined) {
            yield next.message;
            behind -= next.bytes;
            calm();
            if (behind > farBehind) impatience = setTimeout(drop, patienceMs).unref();
          } else if (tooSlow !== undefined) {
            throw tooSlow;
          } else if (isOver) {
            return;
          } else {
            await more.promise;
          }
        }
      } finally {
        calm();
      }
    },
  };
}
