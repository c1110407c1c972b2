import { readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { closeDescriptor, errno, syscall } from './libc.ts';
import { hasCode, SystemError } from './system-error.ts';

const ESRCH = 3;
const EINVAL = 22;

/** What proc_pid_stat(5) says of a process. */
export interface ProcessStat {
  parent: number;
  /** The pid of the session's leader, as seen from here. */
  session: number;
  /** Clock ticks since boot; with the pid it names a process for as long as the machine runs. */
  startTime: string;
}

/** Undefined when there is no such process, or only its zombie. */
export function statOf(pid: number): ProcessStat | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ESRCH')) return undefined;
    throw error;
  }
  // Field 2, the name in parentheses, may itself have spaces and parentheses in it; these are fields 3, 4, 5, 6 and 22.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [state, parent, , session] = fields;
  if (state === 'Z' || state === 'X') return undefined;
  return { parent: Number(parent), session: Number(session), startTime: fields[22 - 3] ?? '' };
}

/** Pids of the children that a process's main thread has begun, as seen from here; none where the kernel does not tell. */
export function childrenOf(pid: number): number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ESRCH')) return [];
    throw error;
  }
}

/** When a process was started; undefined as for statOf. */
export function startTimeOf(pid: number): string | undefined {
  return statOf(pid)?.startTime;
}

/** True while this very process lives, not another one that got its pid. */
export function processAlive(pid: number, startTime: string): boolean {
  return startTimeOf(pid) === startTime;
}

/**
 * Sends a signal to this very process: the pidfd holds on to it before its start time is compared.
 * False when it is gone. Throws a SystemError (EPERM) when it is not ours to signal.
 */
export function signalProcess(pid: number, startTime: string, signal: NodeJS.Signals): boolean {
  const pidfd = syscall('pidfd_open', pid, 0);
  if (pidfd < 0) {
    const error = errno();
    // EINVAL is a thread's id: the process it may once have named is gone.
    if (error === ESRCH || error === EINVAL) return false;
    throw new SystemError('pidfd_open', error, `${pid}`);
  }
  try {
    if (!processAlive(pid, startTime)) return false;
    if (syscall('pidfd_send_signal', pidfd, constants.signals[signal], null, 0) === 0) return true;
    const error = errno();
    if (error === ESRCH) return false;
    throw new SystemError('pidfd_send_signal', error, `${pid}`);
  } finally {
    closeDescriptor(pidfd);
  }
}

/** Another one after each boot of the machine. */
export function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
}
