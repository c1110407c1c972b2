import { type Check, pauseBefore } from './check.ts';
import type { Clock } from './clock.ts';
import type { HealthStatus, ProbeResult } from './health.ts';

/** One container that is probed, one probe at a time. */
export interface Monitor {
  /** Ends the probe that runs; its result is not heard any more. */
  stop(): void;
}

export function startMonitor(parts: {
  check: Check;
  /** When the container was started, in milliseconds since 1970. */
  startedAtMs: number;
  clock: Clock;
  status: () => HealthStatus;
  /** Undefined: that says nothing of the container. Never rejects. */
  probe: (signal: AbortSignal) => Promise<ProbeResult | undefined>;
  heard: (result: ProbeResult) => void;
}): Monitor {
  const { check, startedAtMs, clock, status, probe, heard } = parts;
  const stopped = new AbortController();
  let callOff = () => {};
  const wait = () => {
    const pauseMs = pauseBefore(check, clock.nowMs() - startedAtMs, status() === 'starting');
    callOff = clock.after(pauseMs, () => void probeOnce());
  };
  const probeOnce = async () => {
    const result = await probe(stopped.signal);
    if (stopped.signal.aborted) return;
    if (result !== undefined) heard(result);
    // What hears of it may have stopped us.
    if (!stopped.signal.aborted) wait();
  };
  wait();
  return {
    stop() {
      callOff();
      stopped.abort();
    },
  };
}
