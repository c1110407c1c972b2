import { setTimeout as delay } from 'node:timers/promises';
import { nowNs } from '../../../kit/clock.ts';
import { isServiceError } from '../../../kit/errors.ts';

/** A service that dies under a step is started again; how long the step goes on asking it. */
const patienceMs = 10_000;
const pauseMs = 50;

/** What a step is given to say what it found and how to take back what it did. */
export interface StepContext {
  /** Takes back what the step just did; called, last one first, when a later step fails or the engine shuts down. */
  defer(undo: () => Promise<void> | void): void;
  /** A few words for people on what the step found, as `overlay2 (used before)`. */
  say(detail: string): void;
}

/** One step of the boot. Its undo stands beside its effect. */
export interface Step<T> {
  readonly name: string;
  run(step: StepContext): Promise<T> | T;
}

export type StepOutcome = 'begun' | 'done' | 'failed' | 'undone';

export interface StepReport {
  step: string;
  /** From 1. */
  number: number;
  outcome: StepOutcome;
  startedAtNs: bigint;
  durationNs: bigint;
  detail: string;
}

export interface BootListener {
  report(report: StepReport): void;
}

/** The cause of a boot that failed, with the step's name. */
export class BootFailed extends Error {
  readonly step: string;

  constructor(step: string, cause: unknown, problems: readonly string[]) {
    super(cause instanceof Error ? cause.message : String(cause), { cause });
    this.step = step;
    if (problems.length > 0) this.message += ` (and while undoing: ${problems.join('; ')})`;
  }
}

/** The peer went away under the call, or was not back in time. */
function isCutOff(error: unknown): boolean {
  return isServiceError(error, 'SERVICE_UNAVAILABLE') || isServiceError(error, 'UNAVAILABLE');
}

interface Undo {
  step: string;
  number: number;
  run(): Promise<void> | void;
}

/**
 * Runs steps in order and keeps their undos. Disposed without `keep`, it undoes the finished ones, last first; an undo that
 * fails is reported and the others go on.
 */
export class Boot implements AsyncDisposable {
  readonly #listeners: readonly BootListener[];
  readonly #interrupted: (() => Error | undefined) | undefined;
  #undos: Undo[] = [];
  #number = 0;
  #kept = false;

  /** `interrupted` gives the reason to stop before the next step, once there is one. */
  constructor(listeners: readonly BootListener[], interrupted?: () => Error | undefined) {
    this.#listeners = listeners;
    this.#interrupted = interrupted;
  }

  async run<T>(step: Step<T>): Promise<T> {
    const number = ++this.#number;
    const until = Date.now() + patienceMs;
    const startedAtNs = nowNs();
    const begun = process.hrtime.bigint();
    let detail = '';
    const report = (outcome: StepOutcome) =>
      this.#report({
        step: step.name,
        number,
        outcome,
        startedAtNs,
        durationNs: process.hrtime.bigint() - begun,
        detail,
      });
    report('begun');
    try {
      const reason = this.#interrupted?.();
      if (reason !== undefined) throw reason;
      const value = await this.#untilAnswered(step, number, until, (words) => {
        detail = words;
      });
      report('done');
      return value;
    } catch (cause) {
      detail = cause instanceof Error ? cause.message : String(cause);
      report('failed');
      throw new BootFailed(step.name, cause, await this.undo());
    }
  }

  /** A step may be repeated: it takes back what it did, and begins anew. */
  async #untilAnswered<T>(step: Step<T>, number: number, until: number, say: (words: string) => void): Promise<T> {
    for (;;) {
      try {
        return await step.run({
          defer: (undo) => this.#undos.push({ step: step.name, number, run: undo }),
          say,
        });
      } catch (error) {
        if (!isCutOff(error) || Date.now() > until) throw error;
        await this.#undoStep({ step: step.name, number, run: () => {} });
        await delay(pauseMs);
      }
    }
  }

  /** The boot has succeeded: what it did stays until `undo`. */
  keep<T>(value: T): T {
    this.#kept = true;
    return value;
  }

  /** Takes everything back, last one first, and gives what went wrong on the way. */
  async undo(): Promise<string[]> {
    const problems: string[] = [];
    for (let step = this.#undos.at(-1); step !== undefined; step = this.#undos.at(-1)) {
      problems.push(...(await this.#undoStep(step)));
    }
    return problems;
  }

  async #undoStep({ step, number }: Undo): Promise<string[]> {
    const problems: string[] = [];
    if (this.#undos.at(-1)?.number !== number) return problems;
    const startedAtNs = nowNs();
    const begun = process.hrtime.bigint();
    while (this.#undos.at(-1)?.number === number) {
      try {
        await this.#undos.pop()?.run();
      } catch (error) {
        problems.push(error instanceof Error ? error.message : String(error));
      }
    }
    const durationNs = process.hrtime.bigint() - begun;
    this.#report({ step, number, outcome: 'undone', startedAtNs, durationNs, detail: problems.join('; ') });
    return problems.map((problem) => `${step}: ${problem}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#kept) await this.undo();
  }

  #report(report: StepReport): void {
    for (const listener of this.#listeners) listener.report(report);
  }
}
