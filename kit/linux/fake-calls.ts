/** A call that a fake received: `mounts.bind` and what was given. */
export type Call = { readonly call: string; readonly args: readonly unknown[] };

/** What all fakes of one test write into, in the order of the calls. */
export type Calls = {
  readonly all: readonly Call[];
  /** The names alone, in order: `['mounts.mount', 'rtnetlink.apply']`. */
  names(): string[];
  /** Makes the next call of this name throw, after it is recorded and before it has an effect. */
  failNext(call: string, error: Error): void;
  /** Used by the fakes. */
  record(call: string, ...args: readonly unknown[]): void;
};

export function createCalls(): Calls {
  const all: Call[] = [];
  const failures = new Map<string, Error>();
  return {
    all,
    names: () => all.map(({ call }) => call),
    failNext: (call, error) => {
      failures.set(call, error);
    },
    record(call, ...args) {
      all.push({ call, args });
      const failure = failures.get(call);
      failures.delete(call);
      if (failure) throw failure;
    },
  };
}
