import { readFileSync } from 'node:fs';
import { nowNs } from '../../../kit/clock.ts';
import type { Process } from '../../../proto/gen/longshore/execdriver/v1/usage.ts';
import { readKernelFile } from './files.ts';

/** USER_HZ: what /proc counts time in. */
const ticksPerSecond = 100;
const pageSize = 4096;

/** Processes as the host's /proc has them, the oldest first. */
export function listProcesses(pids: readonly number[]): Process[] {
  const bootNs = BigInt(/^btime (\d+)$/m.exec(readKernelFile('/proc/stat'))?.[1] ?? 0) * 1_000_000_000n;
  const names = accountNames();
  return pids.toSorted((a, b) => a - b).flatMap((pid) => readProcess(pid, bootNs, names) ?? []);
}

/** Undefined when it has ended meanwhile. Fields are numbered as in proc_pid_stat(5). */
function readProcess(pid: number, bootNs: bigint, names: ReadonlyMap<number, string>): Process | undefined {
  const stat = readKernelFile(`/proc/${pid}/stat`);
  const status = readKernelFile(`/proc/${pid}/status`);
  if (stat === '' || status === '') return undefined;
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const field = (number: number) => Number(fields[number - 3] ?? 0);
  const comm = stat.slice(stat.indexOf('(') + 1, stat.lastIndexOf(')'));
  const words = readKernelFile(`/proc/${pid}/cmdline`).split('\0').filter(Boolean);
  const uid = Number(/^Uid:\s+\d+\s+(\d+)/m.exec(status)?.[1] ?? 0);
  const cpuNs = BigInt(field(14) + field(15)) * BigInt(1_000_000_000 / ticksPerSecond);
  const startedAtNs = bootNs + BigInt(Math.round((field(22) / ticksPerSecond) * 1e9));
  const livedNs = nowNs() - startedAtNs;
  return {
    pid,
    parentPid: field(4),
    uid,
    user: names.get(uid) ?? `${uid}`,
    terminal: terminalName(field(7)),
    startedAtNs,
    cpuNs,
    cpuPercent: livedNs > 0n ? Number((cpuNs * 100n) / livedNs) : 0,
    command: words.length > 0 ? words.join(' ') : `[${comm}]`,
    state: fields[0] ?? '',
    resident: field(24) * pageSize,
    virtual: field(23),
  };
}

/** Device numbers of /proc have the minor's upper bits above the major. Unix98 terminals are majors 136 to 143. */
function terminalName(device: number): string {
  const major = (device >> 8) & 0xfff;
  const minor = (device & 0xff) | ((device >> 12) & 0xfff00);
  if (major >= 136 && major <= 143) return `pts/${(major - 136) * 256 + minor}`;
  return major === 4 && minor < 64 ? `tty${minor}` : '?';
}

function accountNames(): Map<number, string> {
  try {
    const lines = readFileSync('/etc/passwd', 'utf8').split('\n').reverse();
    return new Map(lines.map((line) => line.split(':')).map(([name = '', , uid = '']) => [Number(uid), name]));
  } catch {
    return new Map();
  }
}
