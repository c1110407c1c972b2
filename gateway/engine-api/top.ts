import { totalmem } from 'node:os';
import type { Process } from '../../proto/gen/longshore/execdriver/v1/usage.ts';

/** A column of `ps`: its title, and what it shows of a process. */
interface Column {
  title: string;
  cell(process: Process): string;
}

const dayMs = 86_400_000;
const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const two = (value: number) => String(value).padStart(2, '0');
const kib = (bytes: number) => String(Math.floor(bytes / 1024));

/** The time of a day, then the day, then the year, as in ps(1). */
function startTime({ startedAtNs }: Process): string {
  const started = new Date(Number(startedAtNs / 1_000_000n));
  const age = Date.now() - started.getTime();
  if (age < dayMs) return `${two(started.getHours())}:${two(started.getMinutes())}`;
  if (age < 365 * dayMs) return `${months[started.getMonth()]}${two(started.getDate())}`;
  return String(started.getFullYear());
}

function clock(seconds: number): string {
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  const days = Math.floor(hours / 24);
  return `${days > 0 ? `${days}-` : ''}${two(hours % 24)}:${two(minutes)}:${two(Math.floor(seconds) % 60)}`;
}

const cpuSeconds = ({ cpuNs }: Process) => Number(cpuNs / 1_000_000n) / 1000;
const age = ({ startedAtNs }: Process) => Math.max(0, Date.now() - Number(startedAtNs / 1_000_000n)) / 1000;
const minutes = (seconds: number) => `${Math.floor(seconds / 60)}:${two(Math.floor(seconds) % 60)}`;
const firstWord = ({ command }: Process) => command.split(' ')[0]?.split('/').at(-1) ?? '';
const percent = ({ cpuPercent }: Process) => `${cpuPercent}.0`;

const memoryPercent = ({ resident }: Process) => ((100 * resident) / totalmem()).toFixed(1);

const column = (title: string, cell: (process: Process) => string): Column => ({ title, cell });

/** By the names that `ps -o` takes. */
const columns: Readonly<Record<string, Column>> = {
  pid: column('PID', ({ pid }) => String(pid)),
  ppid: column('PPID', ({ parentPid }) => String(parentPid)),
  uid: column('UID', ({ uid }) => String(uid)),
  user: column('USER', ({ user }) => user),
  c: column('C', ({ cpuPercent }) => String(cpuPercent)),
  '%cpu': column('%CPU', percent),
  pcpu: column('%CPU', percent),
  '%mem': column('%MEM', memoryPercent),
  pmem: column('%MEM', memoryPercent),
  stime: column('STIME', startTime),
  start: column('START', startTime),
  tty: column('TT', ({ terminal }) => terminal),
  time: column('TIME', (process) => clock(cpuSeconds(process))),
  etimes: column('ELAPSED', (process) => String(Math.floor(age(process)))),
  rss: column('RSS', ({ resident }) => kib(resident)),
  vsz: column('VSZ', ({ virtual }) => kib(virtual)),
  s: column('S', ({ state }) => state),
  stat: column('STAT', ({ state }) => state),
  comm: column('COMMAND', firstWord),
  args: column('COMMAND', ({ command }) => command),
  cmd: column('CMD', ({ command }) => command),
  command: column('COMMAND', ({ command }) => command),
};

const full: readonly Column[] = [
  column('UID', ({ user }) => user),
  ...pick('pid', 'ppid', 'c', 'stime'),
  column('TTY', ({ terminal }) => terminal),
  ...pick('time', 'cmd'),
];

const byUser: readonly Column[] = [
  ...pick('user', 'pid', '%cpu', '%mem', 'vsz', 'rss'),
  column('TTY', ({ terminal }) => terminal),
  ...pick('stat', 'start'),
  column('TIME', (process) => minutes(cpuSeconds(process))),
  ...pick('command'),
];

function pick(...names: string[]): Column[] {
  return names.flatMap((name) => columns[name] ?? []);
}

/**
 * The columns that options of `ps` ask for: `-ef`, `aux`, or `-o` with names, which the exec driver reads without a ps.
 * Undefined for all others.
 */
export function topTable(options: string): readonly Column[] | undefined {
  const text = options.trim();
  if (['', '-e', '-f', '-ef', '-fe', 'ef'].includes(text)) return full;
  if (['aux', '-aux', 'ax', 'u', 'au'].includes(text)) return byUser;
  const [, names] = /^(?:-?[aexw]+\s+)?-?[aexw]*o\s*([\w%]+(?:[, ]+[\w%]+)*)$/.exec(text) ?? [];
  const wanted = names?.split(/[, ]+/) ?? [];
  // Without the pid it is for ps to refuse.
  const isOurs = wanted.includes('pid') && wanted.every((name) => Object.hasOwn(columns, name));
  return isOurs ? pick(...wanted) : undefined;
}

export function topJson(table: readonly Column[], processes: readonly Process[]): object {
  return {
    Titles: table.map(({ title }) => title),
    Processes: processes.map((process) => table.map(({ cell }) => cell(process))),
  };
}
