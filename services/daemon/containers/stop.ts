import { currentCall } from '../../../kit/rpc/call.ts';
import { Outcome } from '../../../proto/gen/longshore/contract/v1/outcome.ts';
import type { StopContainerRequest, StopContainerResponse } from '../../../proto/gen/longshore/daemon/v1/container.ts';
import { containerEvent } from './container-event.ts';
import { endProcess } from './end-process.ts';
import { type Lifecycle, present } from './lifecycle.ts';
import { type ContainerRecord, isAlive, type Pending } from './record.ts';
import { release } from './release.ts';
import type { Commit } from './repository.ts';
import { cancelRestart } from './restarts.ts';
import { signalNumber } from './signals.ts';

/** Ends what runs, and gives back what it held. ALREADY when it does not run. */
export async function stopContainer(
  lifecycle: Lifecycle,
  request: StopContainerRequest,
  commit: (outcome: StopContainerResponse) => Commit<StopContainerResponse>,
): Promise<StopContainerResponse> {
  const { id } = lifecycle.repository.find(request.container);
  if (request.signal !== '') signalNumber(request.signal);
  return lifecycle.queue.run(id, async () => {
    const record = present(lifecycle, id);
    const done = { outcome: Outcome.OUTCOME_DONE };
    if (record.status === 'restarting') {
      stopRestarting(lifecycle, record, commit(done));
      return done;
    }
    if (!isAlive(record)) return { outcome: Outcome.OUTCOME_ALREADY };
    await stop(lifecycle, record, stopPlan(lifecycle, record, request, 'stop'));
    const event = containerEvent(present(lifecycle, id), 'stop', lifecycle.now());
    return lifecycle.repository.apply({ events: [event] }, commit(done));
  });
}

/** With which signal and patience: the request's, the container's own, or the engine's. */
export function stopPlan(
  lifecycle: Lifecycle,
  record: ContainerRecord,
  request: { signal: string; timeoutS?: number | undefined },
  verb: 'stop' | 'restart',
): Pending & { signal: number; timeoutS: number } {
  return {
    verb,
    requestId: currentCall()?.requestId ?? '',
    signal: signalNumber(request.signal || record.config.stopSignal || 'SIGTERM'),
    timeoutS: request.timeoutS ?? record.config.stopTimeoutS ?? lifecycle.engine.facts.defaults.stopTimeoutS,
  };
}

/** The ending itself, in the container's queue. Recorded first, so that no restart policy undoes it after a crash. */
export async function stop(
  lifecycle: Lifecycle,
  record: ContainerRecord,
  plan: Pending & { signal: number; timeoutS: number },
): Promise<void> {
  lifecycle.repository.apply({
    put: [
      {
        ...record,
        status: 'stopping',
        desired: plan.verb === 'restart' ? 'running' : 'stopped',
        stoppedByHand: plan.verb === 'stop',
        pending: plan,
      },
    ],
  });
  await endProcess(lifecycle, record, plan.signal, plan.timeoutS);
  await release(lifecycle, present(lifecycle, record.id));
}

/** There is no process to end, only a restart to call off. */
export function stopRestarting<T>(lifecycle: Lifecycle, record: ContainerRecord, commit: Commit<T>): void {
  cancelRestart(lifecycle, record.id);
  const stopped: ContainerRecord = { ...record, status: 'exited', desired: 'stopped', stoppedByHand: true };
  lifecycle.repository.apply({ put: [stopped], events: [containerEvent(stopped, 'stop', lifecycle.now())] }, commit);
}
