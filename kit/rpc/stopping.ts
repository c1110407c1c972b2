/** The calls in progress, so that a stop can end them: streams soon, the others when their time is up. */
export interface Stopping {
  /** Notes a call. Its signal is aborted with the caller's, or by the stop. */
  enter(callerSignal: AbortSignal, isStream: boolean): { signal: AbortSignal; leave(): void };
  /** Whether this signal was aborted by the stop and not by the caller. */
  has(signal: AbortSignal): boolean;
  abortStreams(): void;
  abortAll(): void;
}

export function createStopping(): Stopping {
  const active = new Map<AbortController, { isStream: boolean }>();
  const stopped = new WeakSet<AbortSignal>();
  const abort = (controller: AbortController) => {
    if (controller.signal.aborted) return;
    stopped.add(controller.signal);
    controller.abort();
  };
  return {
    enter(callerSignal, isStream) {
      const controller = new AbortController();
      const onCallerGone = () => controller.abort();
      if (callerSignal.aborted) onCallerGone();
      else callerSignal.addEventListener('abort', onCallerGone, { once: true });
      active.set(controller, { isStream });
      return {
        signal: controller.signal,
        leave() {
          callerSignal.removeEventListener('abort', onCallerGone);
          active.delete(controller);
        },
      };
    },
    has: (signal) => stopped.has(signal),
    abortStreams() {
      for (const [controller, { isStream }] of active) if (isStream) abort(controller);
    },
    abortAll() {
      for (const controller of active.keys()) abort(controller);
    },
  };
}
