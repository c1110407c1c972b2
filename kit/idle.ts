import { collectGarbage } from './collect-garbage.ts';

/** Nobody has asked anything of the process for this long: between two commands of a person it stays warm. */
const idleAfterMs = 15_000;

let timer: NodeJS.Timeout | undefined;
const givers = new Set<() => void>();

/**
 * Says that the process has worked. When it then has nothing to do for a while, it collects its garbage and gives the memory
 * back: V8 and malloc keep what a burst has taken until they need it, half of a service's memory. It takes some milliseconds
 * that nobody waits for. One for the whole process, as its memory is.
 */
export function worked(): void {
  if (timer === undefined) timer = setTimeout(() => void rest(), idleAfterMs).unref();
  else timer.refresh();
}

/** `give` is called when the process comes to rest: it frees what is kept only to be quick. Returns what ends that. */
export function atRest(give: () => void): () => void {
  givers.add(give);
  return () => givers.delete(give);
}

/** Gives back what is kept only to be quick, collects garbage, and returns free memory to the kernel. */
export async function rest(): Promise<void> {
  for (const give of givers) give();
  collectGarbage('last-resort');
  // Loaded when it is first needed; not every service calls the kernel, nor can.
  const memory = await import('./linux/memory.ts').catch(() => undefined);
  memory?.trimHeap();
}
