import { Outcome } from '../../../proto/gen/longshore/contract/v1/outcome.ts';
import type {
  RestartContainerRequest,
  RestartContainerResponse,
} from '../../../proto/gen/longshore/daemon/v1/container.ts';
import { containerEvent } from './container-event.ts';
import { type Lifecycle, present } from './lifecycle.ts';
import { isAlive } from './record.ts';
import type { Commit } from './repository.ts';
import { signalNumber } from './signals.ts';
import { start, startedByHand } from './start.ts';
import { stop, stopPlan } from './stop.ts';

/** Ends what runs and starts it again; what does not run is started. */
export async function restartContainer(
  lifecycle: Lifecycle,
  request: RestartContainerRequest,
  commit: (outcome: RestartContainerResponse) => Commit<RestartContainerResponse>,
): Promise<RestartContainerResponse> {
  const { id } = lifecycle.repository.find(request.container);
  if (request.signal !== '') signalNumber(request.signal);
  return lifecycle.queue.run(id, async () => {
    const record = present(lifecycle, id);
    if (isAlive(record)) {
      await stop(lifecycle, record, stopPlan(lifecycle, record, request, 'restart'));
      const stopped = present(lifecycle, id);
      lifecycle.repository.apply({ events: [containerEvent(stopped, 'stop', lifecycle.now())] });
    }
    await start(lifecycle, startedByHand(present(lifecycle, id)));
    const event = containerEvent(present(lifecycle, id), 'restart', lifecycle.now());
    return lifecycle.repository.apply({ events: [event] }, commit({ outcome: Outcome.OUTCOME_DONE }));
  });
}
