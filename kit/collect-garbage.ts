import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** `minor`: young objects alone. `last-resort`: all, with caches, as when a heap overflows. */
type Extent = 'minor' | 'last-resort';

let collect: ((options: object) => void) | undefined;

/** Lets V8 collect garbage now, which it does not offer to programs that were not started for it. */
export function collectGarbage(extent: Extent): void {
  collect ??= takeHold();
  if (extent === 'minor') {
    collect({ type: 'minor' });
    return;
  }
  // But the code: it is next to nothing, and without it the next long stream takes a tenth longer.
  setFlagsFromString('--no-flush-bytecode');
  collect({ type: 'major', execution: 'sync', flavor: 'last-resort' });
  setFlagsFromString('--flush-bytecode');
}

function takeHold(): (options: object) => void {
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc') as (options: object) => void;
  setFlagsFromString('--no-expose-gc');
  return gc;
}
