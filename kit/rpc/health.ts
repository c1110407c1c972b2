import type { TsProtoServiceDefinition } from 'nice-grpc';
import { HealthDefinition, HealthState } from 'nice-grpc-server-health';
import type { Channel } from './dial.ts';

/** UNKNOWN: the service has no such name, or does not answer. */
export type Health = 'SERVING' | 'NOT_SERVING' | 'UNKNOWN';

/** What a process says of its own services. It can be told before the first of them answers, so that health never lags behind. */
export interface OwnHealth {
  set(isServing: boolean, ...services: readonly (string | TsProtoServiceDefinition)[]): void;
  /** As nice-grpc-server-health answers from it. */
  readonly state: HealthState;
}

export function createOwnHealth(): OwnHealth {
  const state = HealthState();
  return {
    state,
    set(isServing, ...services) {
      const status = isServing ? 'healthy' : 'unhealthy';
      for (const each of services) state.setStatus(status, typeof each === 'string' ? each : each.fullName);
    },
  };
}

// HealthCheckResponse.ServingStatus of grpc/health/v1/health.proto.
const names: Readonly<Record<number, Health>> = { 1: 'SERVING', 2: 'NOT_SERVING' };

/** What a service (`` for the process) says of itself now. */
export async function checkHealth(channel: Channel, service: string, timeoutMs: number): Promise<Health> {
  try {
    const { status } = await channel.client(HealthDefinition).check({ service }, { deadlineMs: timeoutMs });
    return names[status] ?? 'UNKNOWN';
  } catch {
    return 'UNKNOWN';
  }
}

/** Its state now and at each change, until the signal aborts. Ends with an error when the connection does. */
export async function* watchHealth(
  channel: Channel,
  service: string,
  signal: AbortSignal,
): AsyncGenerator<Health, void> {
  for await (const { status } of channel.client(HealthDefinition).watch({ service }, { signal })) {
    yield names[status] ?? 'UNKNOWN';
  }
}
