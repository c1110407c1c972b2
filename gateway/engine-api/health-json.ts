import type { HealthConfig } from '../../proto/gen/longshore/daemon/v1/config.ts';
import { type Health, HealthStatus } from '../../proto/gen/longshore/daemon/v1/container.ts';
import { rfc3339 } from './times.ts';

/** `Config.Healthcheck`: what is not set is left out. */
export function healthcheckJson(check: HealthConfig): object {
  const set = {
    Interval: Number(check.intervalNs),
    Timeout: Number(check.timeoutNs),
    StartPeriod: Number(check.startPeriodNs),
    StartInterval: Number(check.startIntervalNs),
    Retries: check.retries,
  };
  return {
    ...(check.test.length > 0 && { Test: check.test }),
    ...Object.fromEntries(Object.entries(set).filter(([, value]) => value !== 0)),
  };
}

/** `State.Health`. */
export function healthJson({ status, failingStreak, log }: Health): object {
  return {
    Status: healthName(status),
    FailingStreak: failingStreak,
    Log: log.map((result) => ({
      Start: rfc3339(result.startedAtNs),
      End: rfc3339(result.endedAtNs),
      ExitCode: result.exitCode,
      Output: Buffer.from(result.output).toString(),
    })),
  };
}

function healthName(status: HealthStatus): string {
  if (status === HealthStatus.HEALTH_STATUS_HEALTHY) return 'healthy';
  return status === HealthStatus.HEALTH_STATUS_STARTING ? 'starting' : 'unhealthy';
}

/** What a row of `docker ps` says behind the time: ` (healthy)`, ` (health: starting)`; nothing without a check. */
export function healthWords(health: Health | undefined): string {
  if (health === undefined) return '';
  const name = healthName(health.status);
  return name === 'starting' ? ' (health: starting)' : ` (${name})`;
}
