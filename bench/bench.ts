import type { Contestant } from './contestants/contestant.ts';
import type { Figure } from './figure.ts';

/** What a path is given to measure with. */
export interface Bench {
  /** All started, and loaded with the image `busybox`. */
  readonly contestants: readonly Contestant[];
  /** Longshore in one process, placed but not started; with the same image. Undefined when Longshore doesn't take part. */
  readonly embedded: Contestant | undefined;
  /** A folder for files of the run. */
  readonly scratch: string;
  readonly isQuick: boolean;
  /** Tells the person at the terminal what is being done. */
  readonly say: (what: string) => void;
  readonly signal: AbortSignal;
}

/** A path through the engines that is measured. Leaves them as it found them: started, without containers. */
export interface Path {
  readonly name: string;
  readonly about: string;
  measure(bench: Bench): Promise<Figure[]>;
}
