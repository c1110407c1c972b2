import { processAlive } from '../../../kit/linux/process.ts';
import { attachSocketOf } from '../runtime/conmon.ts';
import { connectHub, type Hub } from '../stdio/hub.ts';
import type { ContainerRecord, ExitFact } from './record.ts';

/** A monitor that has written the exit code has only some milliseconds to live. */
export const monitorEndsMs = 2000;

/** A container that this service knows: its record, and what it holds of it in memory. */
export class Container {
  record: ContainerRecord;
  /** Settles when the newest generation has an exit fact, and everything that it wrote is in the log. */
  readonly ended: Promise<ExitFact>;
  /** While it is being started: ends what starts it, so that the start fails. */
  abandon: (() => void) | undefined;
  /** It has ended, and what it left is removed. */
  isCleared = false;
  readonly #end: (fact: ExitFact) => void;
  #hub: Hub | undefined;

  constructor(record: ContainerRecord) {
    this.record = record;
    const { promise, resolve } = Promise.withResolvers<ExitFact>();
    this.ended = promise;
    this.#end = resolve;
    if (record.exit) resolve(record.exit);
  }

  /** Its init has been let go and has not ended, as far as is known. */
  get isLiving(): boolean {
    return this.record.state === 'running' || this.record.state === 'paused';
  }

  /** The init's pid, when it lives. */
  get pid(): number | undefined {
    const { init } = this.record;
    return this.isLiving && init && processAlive(init.pid, init.startTime) ? init.pid : undefined;
  }

  end(fact: ExitFact): void {
    this.#end(fact);
  }

  /** The connection to its monitor, made when there is none. Throws when the monitor is gone. */
  connect(bundle: string): Hub {
    if (this.#hub) return this.#hub;
    const hub = connectHub(attachSocketOf(bundle));
    this.#hub = hub;
    void hub.ended.then(() => {
      if (this.#hub === hub) this.#hub = undefined;
    });
    return hub;
  }

  /** After the last client. A container whose input ends with ours keeps the connection. */
  disconnectIfUnused(): void {
    const { stdinOnce, tty } = this.record.terms;
    if (this.#hub?.clients !== 0 || (stdinOnce && !tty)) return;
    this.#hub.close();
    this.#hub = undefined;
  }

  /**
   * For one that has ended: what it wrote is on its way here, and comes before its monitor hangs up. One that does not is
   * left, unless a client keeps the rest from being read.
   */
  disconnectWhenDelivered(): void {
    const hub = this.#hub;
    if (hub === undefined) return;
    this.#hub = undefined;
    const timer = setInterval(() => {
      if (!hub.isHeldBack) hub.close();
    }, monitorEndsMs).unref();
    void hub.ended.then(() => clearInterval(timer));
  }

  disconnect(): void {
    this.#hub?.close();
    this.#hub = undefined;
  }
}
