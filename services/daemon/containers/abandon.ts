import { setTimeout as pause } from 'node:timers/promises';
import { isServiceError } from '../../../kit/errors.ts';
import { insist, unhurried } from './insist.ts';
import type { Lifecycle } from './lifecycle.ts';
import type { ContainerRecord } from './record.ts';
import { SIGKILL } from './signals.ts';

/** After these it is not known whether the exec driver has started a process. */
const unclear = new Set(['UNAVAILABLE', 'DEADLINE_EXCEEDED', 'CANCELLED', 'UNKNOWN', 'INTERNAL']);
const killPatienceMs = 10_000;
const pollMs = 50;

/** Makes sure that a start that failed with `cause` has left no process. */
export async function abandonProcess(lifecycle: Lifecycle, { id }: ContainerRecord, cause: unknown): Promise<void> {
  if (isServiceError(cause) && !unclear.has(cause.code)) return;
  await endStray(lifecycle, id);
}

/** Ends a process that no record wants, and has it forgotten. Its logs stay while there is a record that they belong to. */
export function endStray(lifecycle: Lifecycle, id: string): Promise<void> {
  const keepLogs = lifecycle.repository.get(id) !== undefined;
  const { processes } = lifecycle.engine.clients.execdriver;
  return unhurried(async () => {
    await insist((options) => processes.signalContainer({ id, signal: SIGKILL, all: true }, options));
    const end = Date.now() + killPatienceMs;
    for (;;) {
      try {
        await insist((options) => processes.removeContainer({ id, keepLogs }, options));
        return;
      } catch (error) {
        if (!isServiceError(error) || error.code !== 'FAILED_PRECONDITION' || Date.now() > end) throw error;
        await pause(pollMs);
      }
    }
  });
}
