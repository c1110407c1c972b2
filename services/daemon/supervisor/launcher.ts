import type { Role } from '../../../kit/roles.ts';
import type { Neighbours } from '../../../kit/rpc/neighbours.ts';

/** A service that was started or adopted by this coordinator. */
export interface Launched {
  readonly pid: number;
  readonly adopted: boolean;
  /** Resolves when it has ended, with how, as `exit code 1` or `killed by SIGKILL`. */
  readonly ended: Promise<string>;
  /** Its last words on the log, for the message when it dies at start. */
  lastWords(): string | undefined;
  /** Ends it: asks, waits, then kills. */
  stop(): Promise<void>;
}

/** How services come to life: as processes of their own, or in this one. */
export interface Launcher {
  /** What it starts in this process. */
  readonly neighbours?: Neighbours;
  /** Takes over a living service of this version that an earlier coordinator left; ends one that does not fit. */
  adopt(role: Role): Promise<Launched | undefined>;
  start(role: Role): Promise<Launched>;
}
