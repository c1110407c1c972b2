import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { CallOptions } from 'nice-grpc';
import type { DeadlineOptions } from 'nice-grpc-client-middleware-deadline';
import type { Target } from './session.ts';
import { Refusal, refused } from './wire.ts';

interface Message {
  cursor: number;
  latest: number;
}

export interface Watched<M extends Message> {
  role: string;
  watch(request: { after: number }, options: CallOptions & DeadlineOptions): AsyncIterable<M>;
  /** Makes something happen that is told; the words are what is told of it, in order. */
  happen(): Promise<string[]>;
  word(message: M): string;
}

/** The sentences about events that all contracts share. The implementation is initialised. */
export function watchSuite<M extends Message>(target: Target, watched: Watched<M>): void {
  /** The first messages of a watch; it is then cancelled. */
  async function first(after: number, count: number): Promise<M[]> {
    const ending = new AbortController();
    const messages: M[] = [];
    for await (const message of watched.watch({ after }, { signal: ending.signal })) {
      messages.push(message);
      if (messages.length === count) break;
    }
    ending.abort();
    return messages;
  }
  const latest = async () => (await first(0, 1))[0]?.latest ?? 0;

  describe(`${watched.role}: its events`, () => {
    test('the first message of a watch has cursor 0 and says what is newest', async () => {
      await watched.happen();
      const [message] = await first(0, 1);
      assert.equal(message?.cursor, 0);
      assert((message?.latest ?? 0) > 0);
    });

    test('what happens after the first message is told, in order, with growing cursors', async () => {
      const ending = new AbortController();
      const messages: M[] = [];
      let words: string[] = [];
      for await (const message of watched.watch({ after: 0 }, { signal: ending.signal })) {
        if (message.cursor === 0) words = await watched.happen();
        else messages.push(message);
        if (messages.length === words.length) break;
      }
      ending.abort();
      assert.deepEqual(messages.map(watched.word), words);
      for (const [at, { cursor, latest: newest }] of messages.entries()) {
        assert(cursor > (messages[at - 1]?.cursor ?? 0));
        assert(newest >= cursor);
      }
    });

    test('a watch from a cursor tells what came after it, to everyone the same', async () => {
      const before = await latest();
      const words = await watched.happen();
      const [, ...one] = await first(before, words.length + 1);
      const [, ...other] = await first(before, words.length + 1);
      assert.deepEqual(one.map(watched.word), words);
      assert.deepEqual(
        one.map(({ cursor }) => cursor),
        other.map(({ cursor }) => cursor),
      );
      const [, ...rest] = await first(one[0]?.cursor ?? 0, words.length);
      assert.deepEqual(rest.map(watched.word), words.slice(1));
    });

    test('a cursor that is too old is OUT_OF_RANGE, CURSOR_GONE', async () => {
      await watched.happen();
      try {
        // An implementation that has kept all since its first event may answer: with the very next one.
        const [, next] = await first(1, 2);
        assert.equal(next?.cursor, 2);
      } catch (error) {
        if (!(error instanceof Refusal)) throw error;
        await refused(watched.watch({ after: 1 }, {}), 'OUT_OF_RANGE', 'CURSOR_GONE');
      }
    });

    test('a watch ends at its deadline; the events go on', async () => {
      await refused(watched.watch({ after: 0 }, { deadline: 100 }), 'DEADLINE_EXCEEDED');
      const before = await latest();
      const words = await watched.happen();
      assert.equal((await first(before, words.length + 1)).length, words.length + 1);
    });

    test('cursors go on across a restart', { skip: target.restart === undefined }, async () => {
      const before = await latest();
      const words = await watched.happen();
      await target.restart?.();
      const [, ...told] = await first(before, words.length + 1);
      assert.deepEqual(told.map(watched.word), words);
      assert((await latest()) >= (told.at(-1)?.cursor ?? 0));
    });
  });
}
