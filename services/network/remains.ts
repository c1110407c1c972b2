import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from '../../kit/log.ts';
import type { Kernel } from './kernel.ts';
import { removeFiles } from './sandbox-files.ts';
import type { VethSweeper } from './veth-sweeper.ts';

/** What belongs to a sandbox of this engine. */
export interface Known {
  /** Begins the alias of each of this engine's interfaces. */
  markPrefix: string;
  marks: ReadonlySet<string>;
  sandboxes: ReadonlySet<string>;
}

/** Removes objects that carry our mark, or stand in our directories, and have no record. */
export interface Remains {
  sweep(known: Known): void;
}

export interface RemainsContext {
  kernel: Kernel;
  sweeper: VethSweeper;
  netnsDirectory: string;
  filesDirectory: string;
  log: Logger;
}

export function createRemains(context: RemainsContext): Remains {
  const { kernel, log } = context;
  const isId = (name: string) => /^[0-9a-f]{64}$/.test(name);
  const strangers = (directory: string, known: ReadonlySet<string>) =>
    readdirSync(directory).filter((name) => isId(name) && !known.has(name));

  return {
    sweep({ markPrefix, marks, sandboxes }) {
      for (const id of strangers(context.netnsDirectory, sandboxes)) {
        log.info({ sandbox: id }, 'removing a network namespace that has no record');
        kernel.namespaces.remove(join(context.netnsDirectory, id));
      }
      for (const id of strangers(context.filesDirectory, sandboxes)) removeFiles(join(context.filesDirectory, id));
      context.sweeper.sweep(markPrefix, marks);
    },
  };
}
