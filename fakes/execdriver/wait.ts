import type { WaitContainerResponse } from '../../proto/gen/longshore/execdriver/v1/process.ts';
import type { ContainerStore } from './containers.ts';
import { errors } from './errors.ts';
import type { Run } from './run.ts';

/** The exit of a generation (0: the newest), of the dead too. One that is not started yet is waited for. */
export async function waitForExit(
  store: ContainerStore,
  id: string,
  generation: number,
  signal: AbortSignal,
): Promise<WaitContainerResponse> {
  const newest = store.process(id);
  const wanted = generation === 0 ? newest.generation : generation;
  if (wanted < newest.generation) {
    throw errors.staleGeneration({ id, generation: wanted, newest: newest.generation });
  }
  const started = Promise.withResolvers<Run>();
  const waiting = store.whenStarted(id, wanted, started.resolve);
  if (waiting.run !== undefined) started.resolve(waiting.run);
  const aborted = Promise.withResolvers<never>();
  const onAbort = () => aborted.reject(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    const run = await Promise.race([started.promise, aborted.promise]);
    await Promise.race([run.ended, aborted.promise]);
    return { exit: store.process(id).exit, generation: wanted };
  } finally {
    waiting.stop();
    signal.removeEventListener('abort', onAbort);
  }
}
