import type { ContainerConfig } from '../../../../proto/gen/longshore/daemon/v1/config.ts';

/** How a container's health is found out. */
export interface Check {
  command: readonly string[];
  /** From the end of one probe to the start of the next, and before the first. */
  intervalMs: number;
  timeoutNs: bigint;
  /** After the start: failures don't count yet, and until a success or its end it is probed each `startIntervalMs`. */
  startPeriodMs: number;
  startIntervalMs: number;
  /** So many failures in a row are unhealthy. */
  retries: number;
}

const second = 1_000_000_000n;
const milliseconds = (ns: bigint) => Number(ns) / 1e6;

/** Undefined: there is nothing to probe. What is not set, or 0, is Docker's default. */
export function checkOf({ healthcheck, shell }: ContainerConfig): Check | undefined {
  const [kind, ...words] = healthcheck?.test ?? [];
  if (healthcheck === undefined || (kind !== 'CMD' && kind !== 'CMD-SHELL')) return undefined;
  const shellWords = shell.length > 0 ? shell : ['/bin/sh', '-c'];
  return {
    command: kind === 'CMD' ? words : [...shellWords, ...words],
    intervalMs: milliseconds(healthcheck.intervalNs || 30n * second),
    timeoutNs: healthcheck.timeoutNs || 30n * second,
    startPeriodMs: milliseconds(healthcheck.startPeriodNs),
    startIntervalMs: milliseconds(healthcheck.startIntervalNs || 5n * second),
    retries: healthcheck.retries || 3,
  };
}

/**
 * How long to wait for the next probe, `elapsedMs` after the start. One that would come after the end of the start period
 * comes at its end.
 */
export function pauseBefore(check: Check, elapsedMs: number, isStarting: boolean): number {
  // Below 0 when the clock was set back.
  const leftMs = check.startPeriodMs - Math.max(0, elapsedMs);
  if (leftMs <= 0) return check.intervalMs;
  return Math.min(leftMs, isStarting ? check.startIntervalMs : check.intervalMs);
}
