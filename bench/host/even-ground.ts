import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';

/**
 * Gives the engines the memory of a host that has just booted. What ran before leaves free memory in crumbs, and an engine that
 * is started then lies all over the machine. A virtual machine's host that looks for idle memory (in pieces of 2 MiB) makes each of
 * its pieces slow to touch after a quiet while: the same engine took 48 ms for a container's life, or 112, by what ran before it.
 */
export function freeMemory(): void {
  execFileSync('sync');
  tell('/proc/sys/vm/drop_caches', '3');
  packMemory();
}

/** Moves what is in memory together, that of engines too. */
export function packMemory(): void {
  tell('/proc/sys/vm/compact_memory', '1');
}

function tell(file: string, word: string): void {
  try {
    writeFileSync(file, word);
  } catch {
    // A kernel without it, or a container: all engines meet the memory that there is.
  }
}
