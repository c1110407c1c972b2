import type { Logger } from '../../../kit/log.ts';
import type { Paths } from '../paths.ts';
import { removeTree } from '../removal.ts';
import type { Exec } from './exec.ts';
import type { ExecRecord } from './record.ts';
import { type ExecStore, saveExec } from './store.ts';

const retryMs = 1000;
/** Most have ended by then. */
const begunMs = 25;

/** Records what becomes of execs that were started. */
export interface ExecCourse {
  /**
   * It runs. Written a moment later, if it still does: what ends at once is recorded once, and until it is written the next
   * start of the service finds the process by its files.
   */
  begun(exec: Exec, marks: Pick<ExecRecord, 'process' | 'monitor'>): void;
  /**
   * It has ended, which is on the disk before anybody hears of it. A disk that is full is no reason to lose an end: it is
   * tried again until it can be recorded. Then `told` is called.
   */
  ended(exec: Exec, code: number, told?: () => void): void;
  /** What is not recorded by then the next start finds out. */
  close(): void;
}

export function openExecCourse(parts: ExecStore & { paths: Paths; log: Logger }): ExecCourse {
  const { execs, paths, log } = parts;
  let isClosed = false;
  const isKnown = (exec: Exec) => execs.get(exec.record.id) === exec;
  const nameOf = (exec: Exec) => exec.record.id.slice(0, 12);

  const recordBegun = (exec: Exec) => {
    if (isClosed || !isKnown(exec) || exec.record.state !== 'running') return;
    try {
      saveExec(parts, exec, {});
    } catch (error) {
      log.warn({ err: error, exec: nameOf(exec) }, 'cannot record that an exec runs');
    }
  };

  /** Until it was recorded the monitor's file told the code. */
  const clear = (exec: Exec) => {
    try {
      removeTree(paths.execOf(exec.place));
    } catch (error) {
      log.warn({ err: error, exec: nameOf(exec) }, 'an exec’s directory stays until the next start');
    }
  };

  const recordEnd = (exec: Exec, code: number, told: (() => void) | undefined) => {
    if (isClosed) return;
    // Forgotten with its container?
    const isRemembered = isKnown(exec);
    if (isRemembered) {
      const none = { process: undefined, monitor: undefined };
      saveExec(parts, exec, { state: 'exited', ...none, exitCode: code }, 'exited');
    }
    setImmediate(() => clear(exec));
    if (!isRemembered) return;
    exec.end(code);
    told?.();
  };

  const ended = (exec: Exec, code: number, told?: () => void) => {
    try {
      recordEnd(exec, code, told);
    } catch (error) {
      log.error({ err: error, exec: nameOf(exec) }, 'cannot record the end of an exec; trying again');
      setTimeout(() => ended(exec, code, told), retryMs).unref();
    }
  };

  return {
    begun(exec, marks) {
      exec.record = { ...exec.record, state: 'running', ...marks };
      setTimeout(() => recordBegun(exec), begunMs).unref();
    },
    ended,
    close() {
      isClosed = true;
    },
  };
}
