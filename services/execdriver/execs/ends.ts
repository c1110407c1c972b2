import type { Logger } from '../../../kit/log.ts';
import type { Paths } from '../paths.ts';
import { removeTree } from '../remove-tree.ts';
import type { Exec } from './exec.ts';
import { type ExecStore, saveExec } from './store.ts';

const retryMs = 1000;

/** Records how execs end. An end is on the disk before anybody hears of it. */
export interface ExecEnds {
  /** A disk that is full is no reason to lose an end: it is tried again until it can be recorded. Then `told` is called. */
  settle(exec: Exec, code: number, told?: () => void): void;
  /** What is not recorded by then the next start finds out. */
  close(): void;
}

export function openExecEnds(parts: ExecStore & { paths: Paths; log: Logger }): ExecEnds {
  const { execs, paths, log } = parts;
  let isClosed = false;

  const attempt = (exec: Exec, code: number, told: (() => void) | undefined) => {
    if (isClosed) return;
    // Forgotten with its container?
    const isKnown = execs.get(exec.record.id) === exec;
    if (isKnown) {
      const none = { process: undefined, monitor: undefined };
      saveExec(parts, exec, { state: 'exited', ...none, exitCode: code }, 'exited');
    }
    // Until then the monitor's file tells the code.
    removeTree(paths.execOf(exec.place));
    if (!isKnown) return;
    exec.end(code);
    told?.();
  };

  const settle = (exec: Exec, code: number, told?: () => void) => {
    try {
      attempt(exec, code, told);
    } catch (error) {
      log.error({ err: error, exec: exec.record.id.slice(0, 12) }, 'cannot record the end of an exec; trying again');
      setTimeout(() => settle(exec, code, told), retryMs).unref();
    }
  };

  return {
    settle,
    close() {
      isClosed = true;
    },
  };
}
