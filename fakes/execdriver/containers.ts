import type { Sequence } from '../../kit/watch.ts';
import { Outcome } from '../../proto/gen/longshore/contract/v1/outcome.ts';
import {
  type ContainerProcess,
  type ExitFact,
  ProcessEvent,
  ProcessState,
  type StartContainerRequest,
  type WatchContainersResponse,
} from '../../proto/gen/longshore/execdriver/v1/process.ts';
import type { ContainerSpec } from '../../proto/gen/longshore/execdriver/v1/spec.ts';
import { nowNs, openEvents } from '../events.ts';
import type { Life } from '../fake.ts';
import { errors } from './errors.ts';
import type { ExecEventEntry, StoredExec } from './execs.ts';
import type { FileMemory } from './files.ts';
import { createLog, type Log } from './log.ts';
import type { Program } from './program.ts';
import { createRun, type Run } from './run.ts';

export type ContainerEvent = Pick<WatchContainersResponse, 'event' | 'process' | 'timeNs'>;

/** A container that was started, or what is kept of it. */
interface Container {
  log: Log;
  /** Whether its log may be read. */
  logReadable: boolean;
  /** Of the newest start, also when its process is forgotten. */
  generation: number;
  /** Undefined: forgotten, but for the log. */
  current: { process: ContainerProcess; run: Run } | undefined;
}

/** Outlives a crash as monitors and the kernel do: processes go on, and exits are not lost. */
export interface ContainerMemory {
  containers: Map<string, Container>;
  events: Sequence<ContainerEvent>;
  sizes: Map<string, { rows: number; columns: number }>;
  /** Who waits for a start. */
  waiting: Set<{ id: string; generation: number; started(run: Run): void }>;
  execs: Map<string, StoredExec>;
  execEvents: Sequence<ExecEventEntry>;
  lastPid: number;
  files: FileMemory;
}

export function noContainers(keepEvents?: number): ContainerMemory {
  // Above Linux' highest pid (2^22), so that nobody signals a real process by one of these.
  const lastPid = 5_000_000;
  return {
    containers: new Map(),
    events: openEvents([], keepEvents),
    sizes: new Map(),
    waiting: new Set(),
    execs: new Map(),
    execEvents: openEvents([], keepEvents),
    lastPid,
    files: new Map(),
  };
}

export type ContainerStore = ReturnType<typeof createContainerStore>;

const { OUTCOME_DONE, OUTCOME_ALREADY, OUTCOME_ABSENT } = Outcome;

export function createContainerStore(
  { durable, dataRoot, bootId, bootIdBefore }: Life<ContainerMemory>,
  hasAppArmor: boolean,
) {
  const { containers, events, sizes, waiting } = durable;

  const find = (id: string): Container => {
    const container = containers.get(id);
    if (container === undefined) throw errors.containerNotFound({ id });
    return container;
  };
  const processOf = (id: string) => containers.get(id)?.current;
  const living = (id: string): Run | undefined => {
    const run = processOf(id)?.run;
    return run?.ending === undefined ? run : undefined;
  };
  const tell = (event: ProcessEvent, process: ContainerProcess) =>
    events.append({ event, process: { ...process }, timeNs: nowNs() });

  function settle(process: ContainerProcess, exit: ExitFact): void {
    process.state = ProcessState.PROCESS_STATE_EXITED;
    process.pid = 0;
    process.exit = exit;
    if (exit.oomKilled) tell(ProcessEvent.PROCESS_EVENT_OOM, process);
    tell(ProcessEvent.PROCESS_EVENT_EXITED, process);
  }

  /** The host was restarted: nobody knows how it ended. */
  function lose(current: Container['current']): void {
    if (current === undefined || current.run.ending !== undefined) return;
    settle(current.process, { code: 255, oomKilled: false, timeNs: nowNs(), unknown: true });
    current.run.end({ code: 255, oomKilled: false });
  }

  const forgetExecs = (id: string) => {
    for (const [execId, { exec }] of durable.execs) if (exec.containerId === id) durable.execs.delete(execId);
  };

  function startNew(id: string, generation: number, spec: ContainerSpec, program: Program): ContainerProcess {
    forgetExecs(id);
    const log = containers.get(id)?.log ?? createLog();
    const run = createRun({ generation, spec, program, log });
    durable.lastPid += 1;
    const process: ContainerProcess = {
      id,
      generation,
      state: ProcessState.PROCESS_STATE_RUNNING,
      pid: durable.lastPid,
      startedAtNs: nowNs(),
      exit: undefined,
      bootId,
      logPath: `${dataRoot}/execdriver/containers/${id}/container.log`,
      apparmorProfile: hasAppArmor ? profileOf(spec) : '',
    };
    const logReadable = spec.log?.driver !== 'none' && spec.log?.options['cache-disabled'] !== 'true';
    containers.set(id, { log, logReadable, generation, current: { process, run } });
    run.listen({
      output: () => undefined,
      ended({ code, oomKilled }) {
        if (process.exit === undefined) settle(process, { code, oomKilled, timeNs: nowNs(), unknown: false });
      },
    });
    tell(ProcessEvent.PROCESS_EVENT_STARTED, process);
    for (const waiter of [...waiting]) {
      if (waiter.id !== id || (waiter.generation !== 0 && waiter.generation !== generation)) continue;
      waiting.delete(waiter);
      waiter.started(run);
    }
    run.begin();
    return process;
  }

  if (bootId !== bootIdBefore) for (const { current } of containers.values()) lose(current);

  return {
    events,
    living,
    processes: () => [...containers.values()].flatMap(({ current }) => current?.process ?? []),
    process(id: string): ContainerProcess {
      const process = find(id).current?.process;
      if (process === undefined) throw errors.containerNotFound({ id });
      return process;
    },
    log: (id: string): Log => find(id).log,
    /** The log of a container that may not be there yet. */
    logSoFar: (id: string): Log | undefined => containers.get(id)?.log,
    start(request: StartContainerRequest, spec: ContainerSpec, program: Program) {
      const { id, generation } = request;
      const before = containers.get(id);
      if (before !== undefined && generation < before.generation) {
        throw errors.staleGeneration({ id, generation, newest: before.generation });
      }
      if (before?.current !== undefined && generation === before.generation) {
        return { outcome: OUTCOME_ALREADY, process: before.current.process };
      }
      if (living(id) !== undefined) throw errors.running({ id });
      return { outcome: OUTCOME_DONE, process: startNew(id, generation, spec, program) };
    },
    signal(id: string, number: number): Outcome {
      const run = living(id);
      if (run === undefined) return OUTCOME_ABSENT;
      run.signal(number);
      return OUTCOME_DONE;
    },
    setPaused(id: string, isPaused: boolean): Outcome {
      const run = living(id);
      const process = processOf(id)?.process;
      if (run === undefined || process === undefined) throw errors.notRunning({ id });
      if (run.isPaused === isPaused) return OUTCOME_ALREADY;
      process.state = isPaused ? ProcessState.PROCESS_STATE_PAUSED : ProcessState.PROCESS_STATE_RUNNING;
      tell(isPaused ? ProcessEvent.PROCESS_EVENT_PAUSED : ProcessEvent.PROCESS_EVENT_RESUMED, process);
      if (isPaused) run.pause();
      else run.resume();
      return OUTCOME_DONE;
    },
    resize(id: string, rows: number, columns: number): Outcome {
      const before = sizes.get(id);
      sizes.set(id, { rows, columns });
      return before?.rows === rows && before.columns === columns ? OUTCOME_ALREADY : OUTCOME_DONE;
    },
    size: (id: string) => sizes.get(id),
    /** As the newest start has it; what never started has an empty log. */
    logReadable: (id: string) => containers.get(id)?.logReadable ?? true,
    remove(id: string, keepLogs: boolean): Outcome {
      const container = containers.get(id);
      if (container === undefined) return OUTCOME_ABSENT;
      if (living(id) !== undefined) throw errors.running({ id });
      const wasThere = container.current !== undefined || !keepLogs;
      container.current = undefined;
      forgetExecs(id);
      if (!keepLogs) {
        containers.delete(id);
        sizes.delete(id);
      }
      return wasThere ? OUTCOME_DONE : OUTCOME_ABSENT;
    },
    /** The run of a generation (0: the living one), now or when it is started; `stop` ends the waiting. */
    whenStarted(id: string, generation: number, started: (run: Run) => void): { run: Run | undefined; stop(): void } {
      const current = processOf(id)?.run;
      const run = generation === 0 ? living(id) : current?.generation === generation ? current : undefined;
      const waiter = { id, generation, started };
      if (run === undefined) waiting.add(waiter);
      return { run, stop: () => waiting.delete(waiter) };
    },
    killAllBut(keep: ReadonlySet<string>): void {
      for (const id of containers.keys()) if (!keep.has(id)) living(id)?.signal(9);
    },
  };
}

function profileOf({ confinement }: ContainerSpec): string {
  return confinement?.apparmor || (confinement?.privileged ? 'unconfined' : 'docker-default');
}
