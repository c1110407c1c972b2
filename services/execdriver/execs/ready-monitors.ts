import type { ExecMonitor } from '../runtime/conmon.ts';
import type { Exec } from './exec.ts';

/** Who makes an exec mostly starts it within milliseconds. */
const patienceMs = 2000;
/** So many may wait at once; the monitors of others begin when they are started. */
const most = 16;

/** The monitors of execs that were made a moment ago, waiting for the start. */
export interface ReadyMonitors {
  /** Starts one for an exec, soon. */
  prepare(exec: Exec): void;
  /** The one that waits for this exec, if there is one: the caller's from now on. Waits for one that has been given up to go. */
  take(execId: string): Promise<ExecMonitor | undefined>;
  /** Gives up those of a container's execs; all of them when it is left out. */
  drop(containerId?: string): void;
}

export interface ReadyMonitorParts {
  start(exec: Exec): Promise<ExecMonitor>;
  /** Takes away what it had on the disk. */
  clear(exec: Exec): void;
}

/**
 * A monitor takes some milliseconds until it can be attached to, just those in which a client learns that its exec is made and
 * asks for the start. One that nobody takes, or that is left alone when we die, finds its start pipe closed, goes on, and runs
 * nothing: the file that says what is to run is written at the start.
 */
export function openReadyMonitors({ start, clear }: ReadyMonitorParts): ReadyMonitors {
  const waiting = new Map<string, { exec: Exec; monitor: Promise<ExecMonitor>; timer: NodeJS.Timeout }>();
  const going = new Map<string, Promise<void>>();

  const takeOut = (id: string) => {
    const found = waiting.get(id);
    clearTimeout(found?.timer);
    waiting.delete(id);
    return found?.monitor;
  };
  const giveUp = (exec: Exec) => {
    const { id } = exec.record;
    const monitor = takeOut(id);
    if (monitor === undefined) return;
    const gone = monitor
      .then(({ abandon, exited }) => {
        abandon();
        return exited;
      })
      .then(() => clear(exec))
      .catch(() => {})
      .finally(() => going.delete(id));
    going.set(id, gone);
  };

  return {
    prepare(exec) {
      const { id } = exec.record;
      // After the answer, which is what the client waits for.
      setImmediate(() => {
        if (exec.record.state !== 'created' || waiting.size >= most) return;
        const monitor = start(exec);
        monitor.catch(() => {});
        waiting.set(id, { exec, monitor, timer: setTimeout(() => giveUp(exec), patienceMs).unref() });
      });
    },

    async take(id) {
      const monitor = takeOut(id);
      await going.get(id);
      // The start itself shows what is wrong.
      return monitor?.catch(() => undefined);
    },

    drop(containerId) {
      for (const { exec } of [...waiting.values()]) {
        if (containerId === undefined || exec.record.containerId === containerId) giveUp(exec);
      }
    },
  };
}
