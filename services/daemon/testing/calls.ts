import { Outcome } from '../../../proto/gen/longshore/contract/v1/outcome.ts';
import type { World } from './world.ts';

export const done = { outcome: Outcome.OUTCOME_DONE };
export const already = { outcome: Outcome.OUTCOME_ALREADY };
export const absent = { outcome: Outcome.OUTCOME_ABSENT };

/** A method whose every call is noted, and can be refused, held up, or lose its answer. */
export type MakeCall = <Request, Response>(
  name: string,
  effect: (request: Request) => Response,
) => (request: Request) => Promise<Response>;

export function callsOf(world: World): MakeCall {
  return (name, effect) => async (request) => {
    await world.disturb(name, request);
    world.calls.push(name);
    const response = effect(request);
    await world.disturbAnswer(name, request);
    return response;
  };
}

interface WatchOptions {
  signal?: AbortSignal;
}

/** The signal of a watch; the daemon always gives one. */
export function signalOf(options: WatchOptions | undefined): AbortSignal {
  return options?.signal ?? new AbortController().signal;
}

/** A watch of an owner that nothing happens to. */
export async function untilAborted(signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
