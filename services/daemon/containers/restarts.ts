import { messageOf } from '../../../kit/errors.ts';
import { detached } from '../../../kit/rpc/call.ts';
import { isUnavailable } from './insist.ts';
import type { Lifecycle } from './lifecycle.ts';
import type { ContainerRecord } from './record.ts';
import { firstBackoffMs, longestBackoffMs } from './restart-policy.ts';
import { start } from './start.ts';

/** Starts a container with status `restarting` again when its time has come. */
export function scheduleRestart(lifecycle: Lifecycle, id: string, delayMs: number): void {
  cancelRestart(lifecycle, id);
  const timer = setTimeout(() => {
    lifecycle.restartTimers.delete(id);
    void detached(() => restartNow(lifecycle, id));
  }, delayMs);
  lifecycle.restartTimers.set(id, timer);
}

export function cancelRestart(lifecycle: Lifecycle, id: string): void {
  clearTimeout(lifecycle.restartTimers.get(id));
  lifecycle.restartTimers.delete(id);
}

/** Never throws: what goes wrong is in the record, or tried again. */
export async function restartNow(lifecycle: Lifecycle, id: string): Promise<void> {
  await lifecycle.queue.run(id, async () => {
    const record = lifecycle.repository.get(id);
    if (record?.status !== 'restarting' || lifecycle.isEnding) return;
    try {
      await start(lifecycle, record);
    } catch (error) {
      lifecycle.log.warn({ container: id, problem: messageOf(error) }, 'a restart by policy failed');
      if (isUnavailable(error)) again(lifecycle, id);
    }
  });
}

/** A service was down: that is no fault of the container's. */
function again(lifecycle: Lifecycle, id: string): void {
  const record = lifecycle.repository.get(id);
  if (record === undefined || lifecycle.isEnding) return;
  const backoffMs = Math.min(Math.max(record.backoffMs * 2, firstBackoffMs), longestBackoffMs);
  const waiting: ContainerRecord = { ...record, status: 'restarting', backoffMs };
  lifecycle.repository.apply({ put: [waiting] });
  scheduleRestart(lifecycle, id, backoffMs);
}
