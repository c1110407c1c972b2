import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { AttachedMonitor } from './attached-monitor.ts';
import type { Exec } from './exec.ts';

/** Who makes an exec mostly starts it within milliseconds. */
const patienceMs = 2000;
/** Who has run a command in a container often runs the next one soon: they poll, or type. */
const spareMs = 10_000;
/** Not under the feet of the client that has just heard of an exec's end. */
const restMs = 10;
const dropMs = 1000;
/** So many may wait at once. The oldest spare makes room; without one the monitors of others begin when they are started. */
const most = 16;

/** What a monitor is started for, and in which directory. */
export interface MonitorForm {
  containerId: string;
  /** Of the container: the runtime has looked at its init. */
  generation: number;
  tty: boolean;
  stdin: boolean;
  /** The name of its directory. */
  place: string;
}

export interface ReadyMonitor {
  place: string;
  monitor: Promise<AttachedMonitor>;
}

export type StartMonitor = (form: MonitorForm) => Promise<AttachedMonitor>;

/** Monitors that wait for what they are to run: those of execs made a moment ago, and a spare for each container used of late. */
export interface ReadyMonitors {
  /** Sees to it that one waits for an exec: the spare one, or one that `start` starts. */
  prepare(exec: Exec, start: StartMonitor): void;
  /** Lets one start for what comes next in the container of an exec that has ended. */
  spare(exec: Exec, start: StartMonitor): void;
  /** The one that waits for this exec, or a spare one: the caller's from now on. */
  take(exec: Exec): ReadyMonitor | undefined;
  /** Resolves when one that was given up is gone from there. */
  vacated(place: string): Promise<void>;
  /** Pids of runtimes that wait in a container's cgroups. */
  insiders(containerId: string): number[];
  /** Gives up those of a container, of all when it is left out; resolves when they are gone, or a second later. */
  drop(containerId?: string): Promise<void>;
}

interface Waiting extends ReadyMonitor {
  form: MonitorForm;
  /** Undefined: a spare one. */
  exec: Exec | undefined;
  timer: NodeJS.Timeout;
}

/**
 * A monitor, and the runtime below it, take some milliseconds until they wait for the process that they are to run, more than a
 * client does to learn that its exec is made and to ask for the start. Those that nobody takes, or that are left alone when we
 * die, are given none, and end. `clear` takes away what they had on the disk.
 */
export function openReadyMonitors(clear: (place: string) => void): ReadyMonitors {
  const waiting = new Map<string, Waiting>();
  const going = new Map<string, { form: MonitorForm; gone: Promise<void> }>();
  /** By the places of their monitors, until these are gone or serve an exec. */
  const inside = new Map<string, { containerId: string; pid: number }>();
  /** Spares that are about to be started. */
  const resting = new Map<string, NodeJS.Timeout>();

  const takeOut = (place: string) => {
    const found = waiting.get(place);
    clearTimeout(found?.timer);
    waiting.delete(place);
    return found;
  };
  const giveUp = (place: string) => {
    const found = takeOut(place);
    if (found === undefined) return;
    const gone = found.monitor
      .then(({ abandon, exited }) => {
        abandon();
        return exited;
      })
      .catch(() => {})
      .then(() => clear(place))
      // What cannot be cleared the next start of the service will.
      .catch(() => {})
      .finally(() => {
        going.delete(place);
        inside.delete(place);
      });
    going.set(place, { form: found.form, gone });
  };
  const wait = (form: MonitorForm, exec: Exec | undefined, forMs: number, start: StartMonitor) => {
    const { place } = form;
    const monitor = start(form);
    waiting.set(place, { place, form, exec, monitor, timer: setTimeout(() => giveUp(place), forMs).unref() });
    // Somebody may end it, or it never began: the start itself shows what is wrong.
    const over = () => {
      if (waiting.get(place)?.monitor === monitor) giveUp(place);
    };
    monitor
      .then(({ exited, insider }) => {
        const isOurs = waiting.get(place)?.monitor === monitor || going.has(place);
        if (insider !== undefined && isOurs) inside.set(place, { containerId: form.containerId, pid: insider });
        return exited;
      })
      .then(over, over);
  };
  const find = (wanted: (one: Waiting) => boolean) => waiting.values().find(wanted);
  const spareFor = (key: string) => find(({ exec, form }) => exec === undefined && keyOf(form) === key);
  const hasRoom = () => {
    if (waiting.size < most) return true;
    const oldest = find(({ exec }) => exec === undefined);
    if (oldest) giveUp(oldest.place);
    return oldest !== undefined;
  };

  return {
    prepare(exec, start) {
      const form = formOf(exec, exec.record.id);
      const spare = spareFor(keyOf(form));
      if (spare) {
        spare.exec = exec;
        spare.timer.refresh();
        return;
      }
      if (hasRoom()) wait(form, exec, patienceMs, start);
    },

    spare(exec, start) {
      const form = formOf(exec, randomBytes(16).toString('hex'));
      const key = keyOf(form);
      const begin = () => {
        resting.delete(key);
        const found = spareFor(key);
        if (found) found.timer.refresh();
        else if (hasRoom()) wait(form, undefined, spareMs, start);
      };
      clearTimeout(resting.get(key));
      resting.set(key, setTimeout(begin, restMs).unref());
    },

    take(exec) {
      const found = find((one) => one.exec === exec) ?? spareFor(keyOf(formOf(exec, exec.record.id)));
      if (found) inside.delete(found.place);
      return found && takeOut(found.place);
    },

    insiders: (containerId) =>
      [...inside.values()].filter((each) => each.containerId === containerId).map(({ pid }) => pid),

    vacated: async (place) => going.get(place)?.gone,

    async drop(containerId) {
      const isMeant = (form: { containerId: string }) => containerId === undefined || form.containerId === containerId;
      for (const [key, timer] of resting) {
        if (!isMeant({ containerId: key.split(' ', 1)[0] ?? '' })) continue;
        clearTimeout(timer);
        resting.delete(key);
      }
      for (const { form, place } of [...waiting.values()]) if (isMeant(form)) giveUp(place);
      // Not for those of others: one that is stuck holds up nobody else.
      const gone = Promise.all([...going.values()].filter(({ form }) => isMeant(form)).map((each) => each.gone));
      // One may be stuck, or frozen with its container by somebody else.
      await Promise.race([gone, delay(dropMs, undefined, { ref: false })]);
    },
  };
}

const formOf = ({ record: { containerId, generation, spec } }: Exec, place: string): MonitorForm => ({
  containerId,
  generation,
  tty: spec.tty,
  stdin: spec.openStdin,
  place,
});

const keyOf = ({ containerId, generation, tty, stdin }: MonitorForm) => `${containerId} ${generation} ${tty} ${stdin}`;
