import type { TestContext } from 'node:test';

const stacks = new WeakMap<TestContext, AsyncDisposableStack>();

/** Does this after the test, before what was deferred earlier: `t.after` goes the other way round. */
export function afterwards(t: TestContext, undo: () => unknown): void {
  let stack = stacks.get(t);
  if (stack === undefined) {
    const made = new AsyncDisposableStack();
    t.after(() => made.disposeAsync());
    stacks.set(t, made);
    stack = made;
  }
  stack.defer(async () => {
    await undo();
  });
}
