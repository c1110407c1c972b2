import type { Api } from '../client/api.ts';
import type { Command } from '../client/command.ts';
import type { Name } from '../figure.ts';

/**
 * An engine on roots, a socket and a bridge of its own. It can be started and stopped as often as one likes and keeps its
 * images over that.
 */
export interface Contestant {
  /** `embedded`: Longshore again, in one process. */
  readonly name: Name | 'embedded';
  /** For people: `dockerd 20.10.24`. */
  readonly title: string;
  readonly socket: string;
  /** The client that its users run. */
  readonly command: Command;
  /** Only while it is started. */
  readonly api: Api;
  /** The folders of which its processes' command lines speak, those of its shims and monitors too. */
  readonly folder: string;
  /** All that it has printed since its start. */
  output(): string;
  /** Resolves when the API answers, with the ms that took from exec on. */
  start(): Promise<number>;
  stop(): Promise<void>;
  /** Stops it, ends its containers and removes all that it has left on the machine. */
  dispose(): Promise<void>;
}

/** How long an engine may take to start. */
export const startPatienceMs = 60_000;
/** How long it may take to stop before it is killed. */
export const stopPatienceMs = 20_000;
