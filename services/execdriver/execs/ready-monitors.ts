import type { ExecMonitor } from '../runtime/conmon.ts';
import type { Exec } from './exec.ts';

/** Who makes an exec mostly starts it within milliseconds. */
const patienceMs = 2000;
/** So many may wait at once; the monitors of others begin when they are started. */
const most = 16;

/** The monitors of execs that were made a moment ago, waiting for the start. */
export interface ReadyMonitors {
  /** Lets `start` start one for an exec, soon. */
  prepare(exec: Exec, start: () => Promise<ExecMonitor>): void;
  /** The one that waits for this exec, if there is one: the caller's from now on. Waits for one that has been given up to go. */
  take(execId: string): Promise<ExecMonitor | undefined>;
  /** Gives up those of a container's execs, of all when it is left out; resolves when they are gone. */
  drop(containerId?: string): Promise<void>;
}

/**
 * A monitor, and the runtime below it, take some milliseconds until they wait for the process that they are to run, just those
 * in which a client learns that its exec is made and asks for the start. Those that nobody takes, or that are left alone when we
 * die, are given none, and end. `clear` takes away what they had on the disk.
 */
export function openReadyMonitors(clear: (exec: Exec) => void): ReadyMonitors {
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
      .catch(() => {})
      .then(() => clear(exec))
      // What cannot be cleared the next start of the service will.
      .catch(() => {})
      .finally(() => going.delete(id));
    going.set(id, gone);
  };

  return {
    prepare(exec, start) {
      const { id } = exec.record;
      // After the answer, which is what the client waits for.
      setImmediate(() => {
        if (exec.record.state !== 'created' || waiting.size >= most) return;
        const monitor = start();
        waiting.set(id, { exec, monitor, timer: setTimeout(() => giveUp(exec), patienceMs).unref() });
        // Somebody may end it, or it never began: the start itself shows what is wrong.
        const over = () => {
          if (waiting.get(id)?.monitor === monitor) giveUp(exec);
        };
        monitor.then(({ exited }) => exited).then(over, over);
      });
    },

    async take(id) {
      const monitor = takeOut(id);
      await going.get(id);
      return monitor;
    },

    async drop(containerId) {
      for (const { exec } of [...waiting.values()]) {
        if (containerId === undefined || exec.record.containerId === containerId) giveUp(exec);
      }
      await Promise.all(going.values());
    },
  };
}
