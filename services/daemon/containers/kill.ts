import { Outcome } from '../../../proto/gen/longshore/contract/v1/outcome.ts';
import type { KillContainerRequest, KillContainerResponse } from '../../../proto/gen/longshore/daemon/v1/container.ts';
import { errors } from '../errors.ts';
import { killAndWait, sendSignal, thaw } from './end-process.ts';
import { type Lifecycle, present } from './lifecycle.ts';
import { thawed } from './pause.ts';
import { type ContainerRecord, isAlive } from './record.ts';
import { release } from './release.ts';
import type { Commit } from './repository.ts';
import { SIGKILL, signalNumber } from './signals.ts';
import { stopRestarting } from './stop.ts';

/** Sends a signal at once: what the container's queue is busy with, a stop above all, is joined and not waited for. */
export async function killContainer(
  lifecycle: Lifecycle,
  request: KillContainerRequest,
  commit: (outcome: KillContainerResponse) => Commit<KillContainerResponse>,
): Promise<KillContainerResponse> {
  const signal = signalNumber(request.signal || 'SIGKILL');
  const done = { outcome: Outcome.OUTCOME_DONE };
  const { id, status } = lifecycle.repository.find(request.container);
  // A process that is just being made cannot take a signal yet.
  if (status === 'starting') await lifecycle.queue.run(id, () => undefined);
  const record = present(lifecycle, id);
  if (record.status === 'restarting') {
    stopRestarting(lifecycle, record, commit(done));
    return done;
  }
  if (!isAlive(record)) throw notRunning(record);
  if (isAnEnd(record, signal)) {
    lifecycle.repository.apply({ put: [{ ...record, desired: 'stopped', stoppedByHand: true }] });
  }
  if (signal === SIGKILL) {
    await killAndWait(lifecycle, record);
    const ended = lifecycle.repository.get(id);
    if (ended !== undefined) await release(lifecycle, ended);
  } else if (!(await sendSignal(lifecycle, record, signal))) {
    throw notRunning(record);
  } else if (record.status === 'paused' && isTakenAtOnce(record, signal)) {
    await thaw(lifecycle, id);
    thawed(lifecycle, id);
  }
  return done;
}

/** As in Docker a paused container is thawed for a signal that may end it: any, where it names none for that. */
function isTakenAtOnce({ config }: ContainerRecord, signal: number): boolean {
  return config.stopSignal === '' || signal === signalNumber(config.stopSignal);
}

/** After a signal that asks it to end, a restart policy leaves it alone. */
function isAnEnd(record: ContainerRecord, signal: number): boolean {
  return signal === SIGKILL || signal === signalNumber(record.config.stopSignal || 'SIGTERM');
}

function notRunning(record: ContainerRecord) {
  return errors.containerNotRunning({ container: record.id });
}
