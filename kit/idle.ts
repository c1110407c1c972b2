import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** Nobody has asked anything of the process for this long: between two commands of a person it stays warm. */
const idleAfterMs = 15_000;

let timer: NodeJS.Timeout | undefined;

/**
 * Says that the process has worked. When it then has nothing to do for a while, it collects its garbage and gives the memory
 * back: V8 and malloc keep what a burst has taken until they need it, half of a service's memory. It takes some milliseconds
 * that nobody waits for. One for the whole process, as its memory is.
 */
export function worked(): void {
  if (timer === undefined) timer = setTimeout(rest, idleAfterMs).unref();
  else timer.refresh();
}

function rest(): void {
  collectGarbage();
  // Loaded when it is first needed; not every service calls the kernel.
  import('./linux/memory.ts').then(({ trimHeap }) => trimHeap()).catch(() => {});
}

let collectGarbage = (): void => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as (options: object) => void;
  setFlagsFromString('--no-expose-gc');
  // As V8 does when a heap is about to overflow: caches and code that has not run for long go too, a MiB a process.
  collectGarbage = () => collect({ type: 'major', execution: 'sync', flavor: 'last-resort' });
  collectGarbage();
};
