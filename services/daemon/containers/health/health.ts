import type { Check } from './check.ts';

export type HealthStatus = 'starting' | 'healthy' | 'unhealthy';

/** How a probe went. Times are nanoseconds since 1970. */
export interface ProbeResult {
  readonly startedAtNs: bigint;
  readonly endedAtNs: bigint;
  /** 0: healthy; -1: it could not be run, or took too long. */
  readonly exitCode: number;
  readonly output: string;
}

/** What is known of a container's health. Never changed in place. */
export interface Health {
  readonly status: HealthStatus;
  /** Failures since the last success. */
  readonly failingStreak: number;
  /** The last few, oldest first. */
  readonly log: readonly ProbeResult[];
}

const keptResults = 5;

/** Docker's rules: a success is healthy at once; failures count once the start period is over or a probe has succeeded. */
export function judged(health: Health, result: ProbeResult, check: Check, startedAtNs: bigint): Health {
  const log = [...health.log, result].slice(-keptResults);
  if (result.exitCode === 0) return { status: 'healthy', failingStreak: 0, log };
  const elapsedMs = Number(result.startedAtNs - startedAtNs) / 1e6;
  if (health.status === 'starting' && elapsedMs < check.startPeriodMs) return { ...health, log };
  const failingStreak = health.failingStreak + 1;
  return { status: failingStreak >= check.retries ? 'unhealthy' : health.status, failingStreak, log };
}
