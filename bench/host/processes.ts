import { existsSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { processes } from '../../integration-tests/machine.ts';

/** The pids of what names a folder in its command line: an engine's own processes, shims and monitors. */
export function processesOf(folder: string): number[] {
  return processes().flatMap((line) => (line.includes(folder) ? [Number(line.split(' ', 1)[0])] : []));
}

/** Asks to end, and insists after a while. Resolves when it is gone. */
export async function endProcess(pid: number, patienceMs: number): Promise<void> {
  tell(pid, 'SIGTERM');
  if (await isGone(pid, patienceMs)) return;
  tell(pid, 'SIGKILL');
  await isGone(pid, 2_000);
}

async function isGone(pid: number, patienceMs: number): Promise<boolean> {
  const deadline = performance.now() + patienceMs;
  while (existsSync(`/proc/${pid}`)) {
    if (performance.now() > deadline) return false;
    await delay(5);
  }
  return true;
}

function tell(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // Already gone.
  }
}
