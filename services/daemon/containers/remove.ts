import { isServiceError, messageOf } from '../../../kit/errors.ts';
import { currentCall } from '../../../kit/rpc/call.ts';
import { Outcome } from '../../../proto/gen/longshore/contract/v1/outcome.ts';
import type {
  RemoveContainerRequest,
  RemoveContainerResponse,
} from '../../../proto/gen/longshore/daemon/v1/container.ts';
import { errors } from '../errors.ts';
import { containerEvent } from './container-event.ts';
import { abandonStart, killAndWait } from './end-process.ts';
import { insist, together, unhurried } from './insist.ts';
import { joined, type Lifecycle } from './lifecycle.ts';
import { endFilesLeases } from './open-files.ts';
import { type ContainerRecord, isAlive, isRunning } from './record.ts';
import { hasVolumes, releaseSandbox } from './release.ts';
import type { Commit } from './repository.ts';
import { cancelRestart } from './restarts.ts';
import { removeLink } from './unlink.ts';

/** Removes a container; with force, one that runs too. Who asks while it goes already waits for that removal. */
export async function removeContainer(
  lifecycle: Lifecycle,
  request: RemoveContainerRequest,
  commit: (outcome: RemoveContainerResponse) => Commit<RemoveContainerResponse>,
): Promise<RemoveContainerResponse> {
  const { repository, queue, underWay } = lifecycle;
  const done = { outcome: Outcome.OUTCOME_DONE };
  const absent = { outcome: Outcome.OUTCOME_ABSENT };
  if (request.removeLink) return removeLink(lifecycle, request.container, commit);
  const record = findOrNot(lifecycle, request.container);
  if (record === undefined) return absent;
  const { id } = record;
  const running = underWay.get(removal(id));
  if (running !== undefined) {
    await running;
    return done;
  }
  // A stop that waits for its timeout has the queue: a kill does not wait for it.
  if (request.force && record.status === 'stopping') await killAndWait(lifecycle, record);
  // Nor for a start that may hang on a dead mount.
  if (request.force && record.status === 'starting') await abandonStart(lifecycle, record);
  return queue.run(id, async () => {
    const now = repository.get(id);
    if (now === undefined) return absent;
    if (!request.force && isRunning(now)) {
      const status = now.status === 'stopping' ? 'running' : now.status;
      throw errors.containerRunning({ container: id, reference: request.container, status });
    }
    await removeNow(lifecycle, now, request.removeVolumes, commit(done));
    return done;
  });
}

function findOrNot(lifecycle: Lifecycle, reference: string): ContainerRecord | undefined {
  try {
    return lifecycle.repository.find(reference);
  } catch (error) {
    if (isServiceError(error, 'CONTAINER_NOT_FOUND')) return undefined;
    throw error;
  }
}

function removal(id: string): string {
  return `remove ${id}`;
}

/** The removal itself, in the container's queue. Recorded before its first effect, so that the next start goes on with it. */
export function removeNow<T>(
  lifecycle: Lifecycle,
  record: ContainerRecord,
  removeVolumes: boolean,
  commit?: Commit<T>,
): Promise<void> {
  const { repository, waits } = lifecycle;
  const { id } = record;
  const pending = { verb: 'remove', requestId: currentCall()?.requestId ?? '', removeVolumes } as const;
  return joined(lifecycle, removal(id), () =>
    unhurried(async () => {
      cancelRestart(lifecycle, id);
      const going: ContainerRecord = { ...record, desired: 'removed', pending };
      if (isAlive(record)) {
        repository.apply({ put: [{ ...going, status: 'stopping', stoppedByHand: true }] });
        await killAndWait(lifecycle, going);
      }
      const now = repository.get(id) ?? going;
      const removing: ContainerRecord = { ...now, status: 'removing', desired: 'removed', pending };
      repository.apply({ put: [removing] });
      try {
        // A power cut must not bring back a container whose files are gone.
        await lifecycle.engine.records.synced();
        await undoAll(lifecycle, removing, removeVolumes);
      } catch (error) {
        const problem = messageOf(error);
        repository.apply({ put: [{ ...removing, status: 'dead', error: problem }] });
        waits.removed(id, { code: removing.exitCode, error: problem });
        throw error;
      }
      lifecycle.engine.links.purge(id);
      const changes = { remove: [id], events: [containerEvent(removing, 'destroy', lifecycle.now())] };
      if (commit === undefined) repository.apply(changes);
      else repository.apply(changes, commit);
      waits.removed(id, { code: removing.exitCode });
    }),
  );
}

async function undoAll(lifecycle: Lifecycle, record: ContainerRecord, removeVolumes: boolean): Promise<void> {
  const { execdriver, graphdriver, graph, volume } = lifecycle.engine.clients;
  const { id, imageId } = record;
  await endFilesLeases(lifecycle, id);
  await together(
    releaseSandbox(lifecycle, record),
    record.generation > 0
      ? insist((options) => execdriver.processes.removeContainer({ id, keepLogs: false }, options))
      : undefined,
    insist((options) => graphdriver.layers.removeLayer({ id, holder: id }, options)),
    insist((options) => graph.images.releaseImage({ id: imageId, holder: id }, options)),
    hasVolumes(record)
      ? insist((options) =>
          volume.volumes.releaseVolume({ name: '', holder: id, removeAnonymous: removeVolumes }, options),
        )
      : undefined,
  );
}
