import { errors } from '../errors.ts';

export type OutputStream = 'stdout' | 'stderr';

export type ClientFrame = { stream: OutputStream; bytes: Buffer } | { exit: number };

/** So far a client may be behind before the container's output is held back for it. */
export const allowedBehind = 1024 * 1024;
/** A client that is as far behind and takes nothing for so long is dropped. */
const patienceMs = 1000;
/** Neighbouring pieces are joined up to this size: fewer messages. */
const joinedSize = 128 * 1024;
/** A piece in the queue costs so much whatever its size: a container may write byte by byte. */
const pieceCost = 256;

/** One attached client's view of a container's output: a queue that the container's output is put in and the call takes out of. */
export class Client {
  readonly wants: ReadonlySet<OutputStream>;
  /** Called each time the client has taken something. */
  onTaken: () => void = () => {};
  #queue: { stream: OutputStream; bytes: Buffer }[] = [];
  #behind = 0;
  #exit: number | undefined;
  #failure: unknown;
  #isOver = false;
  #news = Promise.withResolvers<void>();
  #patience: NodeJS.Timeout | undefined;

  constructor(wants: Iterable<OutputStream>) {
    this.wants = new Set(wants);
  }

  /** Memory taken by what the client has yet to take, in bytes. */
  get behind(): number {
    return this.#behind;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  deliver(stream: OutputStream, bytes: Buffer): void {
    if (this.#isOver || !this.wants.has(stream)) return;
    this.#queue.push({ stream, bytes });
    this.#behind += bytes.length + pieceCost;
    if (this.#behind > allowedBehind) this.#patience ??= setTimeout(() => this.#drop(), patienceMs);
    this.#wake();
  }

  /** The last frame. */
  finish(code: number): void {
    this.#exit ??= code;
    this.#wake();
  }

  /** What is queued is not delivered any more. */
  fail(error: unknown): void {
    if (this.#isOver) return;
    this.#failure = error;
    this.close();
  }

  close(): void {
    this.#isOver = true;
    this.#queue = [];
    this.#behind = 0;
    clearTimeout(this.#patience);
    this.onTaken();
    this.#wake();
  }

  async *frames(): AsyncGenerator<ClientFrame> {
    for (;;) {
      const news = this.#news.promise;
      if (this.#failure !== undefined) throw this.#failure;
      if (this.#isOver) return;
      const next = this.#take();
      if (next) {
        yield next;
      } else if (this.#exit !== undefined) {
        yield { exit: this.#exit };
        return;
      } else {
        await news;
      }
    }
  }

  #take(): ClientFrame | undefined {
    const [first] = this.#queue;
    if (first === undefined) return undefined;
    let [count, size] = [1, first.bytes.length];
    for (const { stream, bytes } of this.#queue.slice(1, 64)) {
      if (stream !== first.stream || size + bytes.length > joinedSize) break;
      count += 1;
      size += bytes.length;
    }
    const taken = this.#queue.splice(0, count);
    this.#behind -= size + count * pieceCost;
    clearTimeout(this.#patience);
    this.#patience = this.#behind > allowedBehind ? setTimeout(() => this.#drop(), patienceMs) : undefined;
    this.onTaken();
    return { stream: first.stream, bytes: count === 1 ? first.bytes : Buffer.concat(taken.map(({ bytes }) => bytes)) };
  }

  #drop(): void {
    this.fail(errors.clientTooSlow({ behind: this.#behind }));
  }

  #wake(): void {
    const news = this.#news;
    this.#news = Promise.withResolvers();
    news.resolve();
  }
}
