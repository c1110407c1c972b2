import { type Exec, ExecState } from '../../proto/gen/longshore/execdriver/v1/exec.ts';

/** Clients ask for the exit code as soon as the output has ended. */
const keptMs = 2000;
const most = 1000;

/**
 * Execs whose end went through here a moment ago. Nothing changes of them any more, so that the question that follows needs
 * no answer from the exec driver: a sixth of what a short command costs.
 */
export interface EndedExecs {
  keep(exec: Exec, exitCode: number): void;
  find(id: string): Exec | undefined;
}

export function endedExecs(): EndedExecs {
  /** The oldest first. */
  const kept = new Map<string, { exec: Exec; until: number }>();
  const letGo = () => {
    const now = performance.now();
    for (const [id, { until }] of kept) {
      if (until > now && kept.size <= most) return;
      kept.delete(id);
    }
  };
  return {
    keep(exec, exitCode) {
      const ended = { ...exec, state: ExecState.EXEC_STATE_EXITED, pid: 0, exitCode };
      kept.set(exec.id, { exec: ended, until: performance.now() + keptMs });
      letGo();
    },
    find(id) {
      letGo();
      return kept.get(id)?.exec;
    },
  };
}
