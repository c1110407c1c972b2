import { Outcome } from '../../../proto/gen/longshore/contract/v1/outcome.ts';
import type { PauseContainerResponse } from '../../../proto/gen/longshore/daemon/v1/container.ts';
import { errors } from '../errors.ts';
import { containerEvent } from './container-event.ts';
import { insist } from './insist.ts';
import { type Lifecycle, present } from './lifecycle.ts';
import { isAlive } from './record.ts';
import type { Commit } from './repository.ts';

type Settle = (outcome: PauseContainerResponse) => Commit<PauseContainerResponse>;

/** Freezes all processes of a container. */
export function pauseContainer(
  lifecycle: Lifecycle,
  reference: string,
  commit: Settle,
): Promise<PauseContainerResponse> {
  const { id } = lifecycle.repository.find(reference);
  return lifecycle.queue.run(id, async () => {
    const { status } = present(lifecycle, id);
    if (status === 'paused') throw errors.containerPaused({ container: id });
    if (status === 'restarting') throw errors.containerRestarting({ container: id });
    if (status !== 'running') throw errors.containerNotRunning({ container: id });
    const { processes } = lifecycle.engine.clients.execdriver;
    await insist((options) => processes.pauseContainer({ id }, options));
    return settle(lifecycle, id, 'paused', commit);
  });
}

/** Thaws it. */
export function unpauseContainer(
  lifecycle: Lifecycle,
  reference: string,
  commit: Settle,
): Promise<PauseContainerResponse> {
  const { id } = lifecycle.repository.find(reference);
  return lifecycle.queue.run(id, async () => {
    if (present(lifecycle, id).status !== 'paused') throw errors.containerNotPaused({ container: id });
    const { processes } = lifecycle.engine.clients.execdriver;
    await insist((options) => processes.resumeContainer({ id }, options));
    return settle(lifecycle, id, 'running', commit);
  });
}

/** It was thawed for a signal, and may have survived it. */
export function thawed(lifecycle: Lifecycle, id: string): void {
  const record = lifecycle.repository.get(id);
  if (record?.status !== 'paused') return;
  lifecycle.repository.apply({
    put: [{ ...record, status: 'running' }],
    events: [containerEvent(record, 'unpause', lifecycle.now())],
  });
}

function settle(
  lifecycle: Lifecycle,
  id: string,
  status: 'paused' | 'running',
  commit: Settle,
): PauseContainerResponse {
  const record = present(lifecycle, id);
  // It may have been killed meanwhile.
  if (!isAlive(record)) throw errors.containerNotRunning({ container: id });
  const action = status === 'paused' ? 'pause' : 'unpause';
  return lifecycle.repository.apply(
    { put: [{ ...record, status }], events: [containerEvent(record, action, lifecycle.now())] },
    commit({ outcome: Outcome.OUTCOME_DONE }),
  );
}
