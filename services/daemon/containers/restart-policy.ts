import type { ContainerRecord } from './record.ts';

export const firstBackoffMs = 100;
export const longestBackoffMs = 60_000;
/** A run of at least this long was a good one: the next restart waits the least again. */
const goodRunNs = 10_000_000_000n;

/** After an exit: how long to wait until the next start, or undefined to let it be. */
export function restartDelay(record: ContainerRecord, exit: { code: number; timeNs: bigint }): number | undefined {
  if (record.desired !== 'running' || !wantsRestart(record, exit.code)) return undefined;
  const ran = exit.timeNs - record.startedAtNs;
  if (ran >= goodRunNs || record.backoffMs === 0) return firstBackoffMs;
  return Math.min(record.backoffMs * 2, longestBackoffMs);
}

function wantsRestart(record: ContainerRecord, code: number): boolean {
  const { name = '', maximumRetryCount = 0 } = record.hostConfig.restartPolicy ?? {};
  switch (name) {
    case 'always':
      return true;
    case 'unless-stopped':
      return !record.stoppedByHand;
    case 'on-failure':
      return code !== 0 && (maximumRetryCount === 0 || record.restartCount < maximumRetryCount);
    default:
      return false;
  }
}

/** When the engine starts: `always` holds even for what a user has stopped; nothing starts that never ran. */
export function wantsRestartAtBoot(record: ContainerRecord): boolean {
  if (record.startedAtNs === 0n || record.desired === 'removed') return false;
  if (record.desired === 'stopped' && record.hostConfig.restartPolicy?.name === 'on-failure') return false;
  return wantsRestart(record, record.exitCode);
}
