import { realpathSync, rmSync, writeFileSync } from 'node:fs';
import { type Calls, createCalls } from './fake-calls.ts';
import { createFakeMounts } from './fake-mounts.ts';
import { createFakeRtnetlink } from './fake-rtnetlink.ts';
import { type PathLike, show } from './libc.ts';
import type { Mounts } from './mounts.ts';
import type { NetworkNamespaces } from './namespaces.ts';
import type { Nftables } from './nftables.ts';
import type { Rtnetlink } from './rtnetlink.ts';
import type { Child, Command, Processes } from './spawn.ts';
import type { Sysctls } from './sysctls.ts';
import { SystemError } from './system-error.ts';
import type { Xattrs } from './xattr.ts';

/** A kernel in memory, for tests of logic without root. All parts record into the same list of calls. */
export type FakeLinux = {
  readonly calls: Calls;
  readonly mounts: Mounts;
  readonly namespaces: NetworkNamespaces;
  readonly rtnetlink: Rtnetlink;
  readonly nftables: FakeNftables;
  readonly processes: FakeProcesses;
  readonly xattrs: Xattrs;
  readonly sysctls: Sysctls;
};

export type FakeNftables = Nftables & {
  /** What `list` answers from now on. */
  answer(list: readonly unknown[]): void;
};

export type FakeProcesses = Processes & {
  /** Ends a child that was spawned. */
  exit(pid: number, code: number): void;
};

const ENOENT = 2;
const FIRST_PID = 100_000;

/** The host's namespace is named ''. A namespace's file is really made, empty, so that it can be opened and removed. */
function createFakeNamespaces(calls: Calls, move: (path: string) => string): NetworkNamespaces {
  const pinned = new Set<string>();
  return {
    create(path) {
      calls.record('namespaces.create', path);
      if (!pinned.has(path)) writeFileSync(path, '');
      pinned.add(path);
    },
    remove(path) {
      calls.record('namespaces.remove', path);
      pinned.delete(path);
      rmSync(path, { force: true });
    },
    exists: (path) => pinned.has(path),
    run(path, action) {
      calls.record('namespaces.run', path);
      if (!pinned.has(path)) throw new SystemError('setns', ENOENT, path);
      const before = move(realpathSync(path));
      try {
        const result = action();
        if (result instanceof Promise) throw new TypeError('an action inside a network namespace must be synchronous');
        return result;
      } finally {
        move(before);
      }
    },
  };
}

function createFakeNftables(calls: Calls): FakeNftables {
  let listed: readonly unknown[] = [];
  let generation = 0;
  return {
    run(commands) {
      calls.record('nftables.run', commands);
      generation += 1;
      return '';
    },
    generation: () => generation,
    list(command) {
      calls.record('nftables.list', command);
      return [...listed];
    },
    answer(list) {
      listed = list;
    },
    [Symbol.dispose]() {},
  };
}

function createFakeProcesses(calls: Calls): FakeProcesses {
  const running = new Map<number, (code: number) => void>();
  let lastPid = FIRST_PID;
  return {
    spawn(command: Command): Child {
      calls.record('processes.spawn', command);
      const { promise, resolve } = Promise.withResolvers<number>();
      const pid = ++lastPid;
      running.set(pid, resolve);
      return { pid, exited: promise };
    },
    exit(pid, code) {
      running.get(pid)?.(code);
      running.delete(pid);
    },
  };
}

function createFakeXattrs(calls: Calls): Xattrs {
  const files = new Map<string, Map<string, Buffer>>();
  const of = (path: PathLike): Map<string, Buffer> => {
    const known = files.get(show(path)) ?? new Map<string, Buffer>();
    files.set(show(path), known);
    return known;
  };
  return {
    get: (path, name) => of(path).get(name),
    set(path, name, value) {
      calls.record('xattrs.set', show(path), name, value);
      of(path).set(name, Buffer.from(value));
    },
    remove(path, name) {
      calls.record('xattrs.remove', show(path), name);
      of(path).delete(name);
    },
    list: (path) => [...of(path).keys()],
  };
}

/** Every parameter exists once it is written; `initial` ones from the start. */
function createFakeSysctls(calls: Calls, initial: Readonly<Record<string, string>>): Sysctls {
  const values = new Map(Object.entries(initial));
  return {
    read: (name) => values.get(name),
    write(name, value) {
      calls.record('sysctls.write', name, value);
      values.set(name, value);
    },
  };
}

export function createFakeLinux(options: { readonly sysctls?: Readonly<Record<string, string>> } = {}): FakeLinux {
  const calls = createCalls();
  let here = '';
  const move = (path: string): string => {
    const before = here;
    here = path;
    return before;
  };
  return {
    calls,
    mounts: createFakeMounts(calls),
    namespaces: createFakeNamespaces(calls, move),
    rtnetlink: createFakeRtnetlink(calls, () => here),
    nftables: createFakeNftables(calls),
    processes: createFakeProcesses(calls),
    xattrs: createFakeXattrs(calls),
    sysctls: createFakeSysctls(calls, options.sysctls ?? {}),
  };
}
