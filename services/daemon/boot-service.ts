import { nowNs } from '../../kit/clock.ts';
import { createSequence, type Entry } from '../../kit/watch.ts';
import {
  type ControlServiceImplementation,
  StepOutcome,
  type WatchBootResponse,
} from '../../proto/gen/longshore/daemon/v1/control.ts';
import type { BootListener, StepReport } from './newdaemon/boot.ts';

const outcomes = {
  begun: StepOutcome.STEP_OUTCOME_BEGUN,
  done: StepOutcome.STEP_OUTCOME_DONE,
  failed: StepOutcome.STEP_OUTCOME_FAILED,
  undone: StepOutcome.STEP_OUTCOME_UNDONE,
} as const;

/** The boot as others may watch it: every report so far, then each as it comes, until it is over. */
export interface BootWatch extends BootListener {
  finish(outcome: 'done' | 'failed', durationNs: bigint): void;
  watch(signal: AbortSignal): AsyncIterable<Entry<WatchBootResponse>>;
}

export function bootWatch(): BootWatch {
  const sequence = createSequence<WatchBootResponse>({ keep: 1_000 });
  const beginning = sequence.cursor;
  const message = (report: StepReport, finished: boolean): WatchBootResponse => ({
    step: report.step,
    number: report.number,
    outcome: outcomes[report.outcome],
    startedAtNs: report.startedAtNs,
    durationNs: report.durationNs,
    detail: report.detail,
    finished,
  });
  return {
    watch: (signal) => sequence.watch(beginning, signal),
    report: (report) => void sequence.append(message(report, false)),
    finish(outcome, durationNs) {
      const startedAtNs = nowNs();
      sequence.append(message({ step: 'boot', number: 0, outcome, startedAtNs, durationNs, detail: '' }, true));
    },
  };
}

export function controlService(watch: BootWatch, shutDown: () => void): ControlServiceImplementation {
  return {
    async *watchBoot(_request, context) {
      for await (const { event } of watch.watch(context.signal)) {
        yield event;
        if (event.finished) return;
      }
    },
    async shutdown() {
      shutDown();
      return {};
    },
  };
}
