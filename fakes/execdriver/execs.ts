import { Outcome } from '../../proto/gen/longshore/contract/v1/outcome.ts';
import {
  type Exec,
  ExecEvent,
  type ExecSpec,
  ExecState,
  type WatchExecsResponse,
} from '../../proto/gen/longshore/execdriver/v1/exec.ts';
import { ContainerSpec } from '../../proto/gen/longshore/execdriver/v1/spec.ts';
import { nowNs } from '../events.ts';
import type { ContainerMemory, ContainerStore } from './containers.ts';
import { errors } from './errors.ts';
import { createLog } from './log.ts';
import { programOf } from './program.ts';
import { createRun, type Run } from './run.ts';

/** A further process of a container: made, then started once. */
export interface StoredExec {
  exec: Exec;
  /** Undefined before the start. */
  run: Run | undefined;
  /** The container's run that it belongs to. */
  host: Run;
}

export type ExecEventEntry = Pick<WatchExecsResponse, 'event' | 'exec' | 'timeNs'>;

export type ExecStore = ReturnType<typeof createExecStore>;

const { OUTCOME_DONE, OUTCOME_ALREADY, OUTCOME_ABSENT } = Outcome;

export function createExecStore(memory: ContainerMemory, containers: ContainerStore) {
  const { execs, sizes, execEvents } = memory;
  const tell = (event: ExecEvent, exec: Exec) => execEvents.append({ event, exec: { ...exec }, timeNs: nowNs() });

  const living = (containerId: string): Run => {
    const run = containers.living(containerId);
    if (run !== undefined) return run;
    containers.process(containerId);
    throw errors.notRunning({ id: containerId });
  };
  const find = (id: string): StoredExec => {
    const stored = execs.get(id);
    if (stored === undefined) throw errors.execNotFound({ id });
    return stored;
  };

  function settle(exec: Exec, code: number): void {
    exec.state = ExecState.EXEC_STATE_EXITED;
    exec.pid = 0;
    exec.exitCode = code;
    tell(ExecEvent.EXEC_EVENT_EXITED, exec);
  }

  function programFor(exec: Exec) {
    const args = exec.spec?.args ?? [];
    const program = programOf(args);
    const [command = ''] = args;
    if (typeof program === 'function') return program;
    settle(exec, program === 'not found' ? 127 : 126);
    throw program === 'not found' ? errors.commandNotFound({ command }) : errors.commandNotExecutable({ command });
  }

  return {
    events: execEvents,
    find,
    of: (containerId: string) =>
      [...execs.values()].filter(({ exec }) => containerId === '' || exec.containerId === containerId),
    create(id: string, containerId: string, spec: ExecSpec): Outcome {
      const host = living(containerId);
      if (execs.has(id)) return OUTCOME_ALREADY;
      const exec: Exec = { id, containerId, spec, state: ExecState.EXEC_STATE_CREATED, pid: 0, exitCode: undefined };
      execs.set(id, { exec, host, run: undefined });
      tell(ExecEvent.EXEC_EVENT_CREATED, exec);
      return OUTCOME_DONE;
    },
    /** Who listens before `begin` hears all of it. */
    start(id: string): { exec: Exec; run: Run } {
      const stored = find(id);
      const { exec, host } = stored;
      if (exec.state !== ExecState.EXEC_STATE_CREATED)
        throw errors.execStarted({ id, hasEnded: exec.state === ExecState.EXEC_STATE_EXITED });
      if (host.ending !== undefined) throw errors.notRunning({ id: exec.containerId });
      if (host.isPaused) throw errors.containerPaused({ id: exec.containerId });
      exec.state = ExecState.EXEC_STATE_RUNNING;
      tell(ExecEvent.EXEC_EVENT_STARTED, exec);
      const program = programFor(exec);
      const { tty = false, openStdin = false, args = [] } = exec.spec ?? {};
      const spec = ContainerSpec.fromPartial({ tty, openStdin, args });
      const run = createRun({ generation: 1, spec, program, log: createLog() });
      memory.lastPid += 1;
      stored.run = run;
      exec.pid = memory.lastPid;
      const deaf = host.listen({
        output: () => undefined,
        // With the container's init all its processes end.
        ended: () => run.end({ code: 137, oomKilled: false }),
      });
      run.listen({
        output: () => undefined,
        ended({ code }) {
          deaf();
          settle(exec, code);
        },
      });
      return { exec, run };
    },
    signal(id: string, number: number): Outcome {
      const run = execs.get(id)?.run;
      if (run === undefined || run.ending !== undefined) return OUTCOME_ABSENT;
      run.signal(number);
      return OUTCOME_DONE;
    },
    resize(id: string, rows: number, columns: number): Outcome {
      find(id);
      sizes.set(id, { rows, columns });
      return OUTCOME_DONE;
    },
  };
}
