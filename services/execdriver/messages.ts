import type { Outcome as OutcomeMessage } from '../../proto/gen/longshore/contract/v1/outcome.ts';
import { Outcome } from '../../proto/gen/longshore/contract/v1/outcome.ts';
import {
  type ContainerProcess,
  type ExitFact as ExitFactMessage,
  ProcessEvent,
  ProcessState,
} from '../../proto/gen/longshore/execdriver/v1/process.ts';
import type { EventKind } from './containers/events.ts';
import type { Outcome as DomainOutcome } from './containers/exec-driver.ts';
import type { ContainerRecord, ExitFact, State } from './containers/record.ts';
import type { Paths } from './paths.ts';

const outcomes: Readonly<Record<DomainOutcome, OutcomeMessage>> = {
  done: Outcome.OUTCOME_DONE,
  already: Outcome.OUTCOME_ALREADY,
  absent: Outcome.OUTCOME_ABSENT,
};

const states: Readonly<Record<State, ProcessState>> = {
  starting: ProcessState.PROCESS_STATE_STARTING,
  running: ProcessState.PROCESS_STATE_RUNNING,
  paused: ProcessState.PROCESS_STATE_PAUSED,
  exited: ProcessState.PROCESS_STATE_EXITED,
};

const events: Readonly<Record<EventKind, ProcessEvent>> = {
  started: ProcessEvent.PROCESS_EVENT_STARTED,
  exited: ProcessEvent.PROCESS_EVENT_EXITED,
  oom: ProcessEvent.PROCESS_EVENT_OOM,
  paused: ProcessEvent.PROCESS_EVENT_PAUSED,
  resumed: ProcessEvent.PROCESS_EVENT_RESUMED,
};

export const outcomeMessage = (outcome: DomainOutcome): OutcomeMessage => outcomes[outcome];

export const eventMessage = (kind: EventKind): ProcessEvent => events[kind];

export function exitMessage({ code, oomKilled, timeNs, unknown }: ExitFact): ExitFactMessage {
  return { code, oomKilled, timeNs, unknown };
}

export function processMessage(record: ContainerRecord, paths: Paths): ContainerProcess {
  const lives = record.state === 'running' || record.state === 'paused';
  return {
    id: record.id,
    generation: record.generation,
    state: states[record.state],
    pid: lives ? (record.init?.pid ?? 0) : 0,
    startedAtNs: record.startedNs,
    exit: record.exit && exitMessage(record.exit),
    bootId: record.bootId,
    logPath: record.terms.logDriver === 'none' ? '' : paths.logFileOf(record.id),
    apparmorProfile: record.appArmorProfile ?? '',
  };
}
