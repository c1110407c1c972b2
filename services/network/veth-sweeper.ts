import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from '../../kit/log.ts';
import type { Kernel } from './kernel.ts';

/**
 * The kernel takes a veth away with its namespace, a moment after nobody is in it. Where somebody still is, such as a
 * container that joined the network of one that has ended, it stays, with an address that is now another's. Such ones are
 * removed some time later. (Removing each at once would wait for the kernel some 30 ms a time.)
 */
export interface VethSweeper {
  /** Interfaces with this alias are to be gone. */
  expectGone(alias: string): void;
  /** Removes interfaces of the engine whose alias names nothing in `known`. */
  sweep(prefix: string, known: ReadonlySet<string>): void;
  /** Resolves when the engine has none left: what the kernel has not taken away by itself in a second is removed. */
  clear(prefix: string): Promise<void>;
  stop(): void;
}

const graceMs = 3_000;
const clearMs = 1_000;
const lookMs = 20;

export function createVethSweeper(kernel: Kernel, log: Logger): VethSweeper {
  let expected = new Set<string>();
  let timer: NodeJS.Timeout | undefined;

  const removeIf = (isUnwanted: (alias: string) => boolean) => {
    for (const link of kernel.rtnetlink.links()) {
      if (link.kind !== 'veth' || link.alias === undefined || !isUnwanted(link.alias)) continue;
      try {
        kernel.rtnetlink.apply({ kind: 'delete link', name: link.name });
      } catch (error) {
        // It may have gone by itself meanwhile; if not, the next start sees it.
        log.debug({ err: error, interface: link.name }, 'an interface could not be removed');
      }
    }
  };

  return {
    expectGone(alias) {
      expected.add(alias);
      timer ??= setTimeout(() => {
        timer = undefined;
        const due = expected;
        expected = new Set();
        removeIf((each) => due.has(each));
      }, graceMs).unref();
    },
    sweep(prefix, known) {
      removeIf((alias) => alias.startsWith(prefix) && !known.has(alias));
    },
    async clear(prefix) {
      const isOurs = (alias: string | undefined) => alias?.startsWith(prefix) === true;
      const isLeft = () => kernel.rtnetlink.links().some((link) => link.kind === 'veth' && isOurs(link.alias));
      const until = Date.now() + clearMs;
      while (isLeft() && Date.now() < until) await delay(lookMs);
      removeIf(isOurs);
    },
    stop() {
      clearTimeout(timer);
    },
  };
}
