import { HealthDefinition } from 'nice-grpc-server-health';
import type { Channel } from './dial.ts';

/** UNKNOWN: the service has no such name, or does not answer. */
export type Health = 'SERVING' | 'NOT_SERVING' | 'UNKNOWN';

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
