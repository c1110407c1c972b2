import { requireSpace } from '../../../kit/disk-space.ts';
import { isServiceError, messageOf } from '../../../kit/errors.ts';
import { Outcome } from '../../../proto/gen/longshore/contract/v1/outcome.ts';
import type { StartContainerResponse } from '../../../proto/gen/longshore/daemon/v1/container.ts';
import { errors } from '../errors.ts';
import { abandonProcess } from './abandon.ts';
import { bringUp, type Running } from './bring-up.ts';
import { containerEvent } from './container-event.ts';
import { exited } from './exit.ts';
import { type Lifecycle, present } from './lifecycle.ts';
import { tellParents } from './link-hosts.ts';
import { networkState, noNetwork } from './network-plan.ts';
import { type ContainerRecord, isAlive } from './record.ts';
import { release } from './release.ts';
import { removeNow } from './remove.ts';
import type { Commit } from './repository.ts';
import { cancelRestart } from './restarts.ts';

/** Starts what does not run. ALREADY when it runs, or is about to by its restart policy. */
export function startContainer(
  lifecycle: Lifecycle,
  reference: string,
  commit: (outcome: StartContainerResponse) => Commit<StartContainerResponse>,
): Promise<StartContainerResponse> {
  const { id } = lifecycle.repository.find(reference);
  return lifecycle.queue.run(id, async () => {
    const record = present(lifecycle, id);
    if (record.status === 'paused') throw errors.containerStartPaused({ container: id });
    if (isAlive(record) || record.status === 'restarting') return { outcome: Outcome.OUTCOME_ALREADY };
    requireSpace(lifecycle.engine.facts.dataRoot);
    const done = { outcome: Outcome.OUTCOME_DONE };
    await start(lifecycle, startedByHand(record), commit(done));
    return done;
  });
}

/** A start by hand begins the counting of its restart policy anew. */
export function startedByHand(record: ContainerRecord): ContainerRecord {
  return { ...record, desired: 'running', stoppedByHand: false, restartCount: 0, backoffMs: 0 };
}

/**
 * One start, in the container's queue. No record goes before it: execdriver keeps one of each generation that it is given,
 * and after a crash the restore step finds the process by it, or gives back what else was made.
 */
export async function start<T>(lifecycle: Lifecycle, record: ContainerRecord, commit?: Commit<T>): Promise<void> {
  const { id } = record;
  if (lifecycle.isEnding) throw errors.stopping();
  if (record.status === 'removing' || record.status === 'dead')
    throw errors.removalInProgress({ container: id, verb: 'started' });
  cancelRestart(lifecycle, id);
  await release(lifecycle, present(lifecycle, id));

  const before = present(lifecycle, id);
  const starting: ContainerRecord = {
    ...record,
    name: before.name,
    status: 'starting',
    generation: record.generation + 1,
  };
  lifecycle.held.set(id, starting.generation);
  lifecycle.repository.show(starting);
  let running: Running;
  try {
    running = await bringUp(lifecycle, starting);
  } catch (error) {
    await failed(lifecycle, before, starting, error);
    throw error;
  }
  settle(lifecycle, starting, running, commit);
}

function settle<T>(lifecycle: Lifecycle, starting: ContainerRecord, running: Running, commit?: Commit<T>): void {
  const { process, sandbox, files } = running;
  const { id } = starting;
  const record: ContainerRecord = {
    ...starting,
    ...files,
    status: 'running',
    pending: undefined,
    pid: process.pid,
    exitCode: 0,
    error: '',
    oomKilled: false,
    startedAtNs: process.startedAtNs,
    volumesFilled: true,
    network: sandbox === undefined ? noNetwork : networkState(sandbox),
    logPath: process.logPath,
    appArmorProfile: process.apparmorProfile,
    bootId: lifecycle.engine.facts.host.bootId,
  };
  const changes = { put: [record], events: [containerEvent(record, 'start', lifecycle.now())] };
  if (commit === undefined) lifecycle.repository.apply(changes);
  else lifecycle.repository.apply(changes, commit);
  // Nobody with a link runs before its first start.
  if (record.generation > 1) tellParents(lifecycle, id);

  const early = lifecycle.earlyExits.get(id);
  lifecycle.earlyExits.delete(id);
  if (early !== undefined) exited(lifecycle, early);
}

/** Exit codes of starts that failed, as a shell has them; 128 for what is not the command's own fault. */
const exitCodes: { readonly [reason: string]: number } = { COMMAND_NOT_FOUND: 127, COMMAND_NOT_EXECUTABLE: 126 };

/** Undoes a start: the record says why, and is otherwise as it was. */
async function failed(
  lifecycle: Lifecycle,
  before: ContainerRecord,
  starting: ContainerRecord,
  error: unknown,
): Promise<void> {
  const { log, repository } = lifecycle;
  const { id } = starting;
  const record: ContainerRecord = {
    ...starting,
    status: before.status === 'created' ? 'created' : 'exited',
    desired: before.desired,
    pending: undefined,
    exitCode: (isServiceError(error) ? exitCodes[error.reason] : undefined) ?? 128,
    error: messageOf(error),
  };
  // A generation is never given twice, not even after a failure.
  repository.apply({ put: [record] });
  lifecycle.earlyExits.delete(id);
  try {
    await abandonProcess(lifecycle, record, error);
    await release(lifecycle, record);
  } catch (problem) {
    log.warn({ container: id, err: problem }, 'a failed start is not fully undone; the next verb goes on with it');
  }
  if (record.hostConfig.autoRemove && record.restartCount === 0) await removeNow(lifecycle, record, true);
}
