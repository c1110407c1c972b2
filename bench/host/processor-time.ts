import { readFileSync } from 'node:fs';

/** USER_HZ, in which the kernel tells times: 100 on all machines that we run on. */
const ticksPerSecond = 100;

/** What these processes, and those of their children that have ended, have had of the processors so far, in ms. */
export function processorTime(pids: readonly number[]): number {
  let ticks = 0;
  for (const pid of pids) {
    // Fields 14 to 17 of proc_pid_stat(5): utime, stime, cutime, cstime; the name, field 2, may have spaces in it.
    const fields = statOf(pid).split(') ').at(-1)?.split(' ') ?? [];
    for (const field of fields.slice(11, 15)) ticks += Number(field);
  }
  return (ticks * 1000) / ticksPerSecond;
}

function statOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    // The process has ended meanwhile.
    return '';
  }
}
