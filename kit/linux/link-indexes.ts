import { randomInt } from 'node:crypto';
import { libc } from './libc.ts';
import { SystemError } from './system-error.ts';

/**
 * Indexes of interfaces during one send. A new interface is born with an index that we reserve, so that what follows in
 * the same send can mean it and no other.
 */
export interface LinkIndexes {
  /** Chooses the index that a new interface will have. */
  reserve(name: string): number;
  /** The index reserved for a name in this send. */
  reserved(name: string): number | undefined;
  forget(name: string): void;
  /** The index reserved for a name, else that of the interface which has it now; ENODEV when there is none. */
  of(name: string): number;
}

const ENODEV = 19;
// The kernel counts up from 1 and takes any positive int: up here nobody is met.
const LOWEST = 2 ** 24;
const HIGHEST = 2 ** 30;

function unused(): number {
  for (;;) {
    const index = randomInt(LOWEST, HIGHEST);
    if (libc.if_indextoname(index, Buffer.alloc(16)) === 0n) return index;
  }
}

export function linkIndexes(): LinkIndexes {
  const born = new Map<string, number>();
  return {
    reserve(name) {
      const index = unused();
      born.set(name, index);
      return index;
    },
    reserved: (name) => born.get(name),
    forget: (name) => {
      born.delete(name);
    },
    of(name) {
      const index = born.get(name) ?? libc.if_nametoindex(name);
      if (index === 0) throw new SystemError('rtnetlink', ENODEV, name);
      return index;
    },
  };
}
