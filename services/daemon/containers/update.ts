import { messageOf } from '../../../kit/errors.ts';
import { currentCall } from '../../../kit/rpc/call.ts';
import { Outcome } from '../../../proto/gen/longshore/contract/v1/outcome.ts';
import { ContainerResources, type HostConfig } from '../../../proto/gen/longshore/daemon/v1/config.ts';
import type {
  UpdateContainerRequest,
  UpdateContainerResponse,
} from '../../../proto/gen/longshore/daemon/v1/container.ts';
import { errors } from '../errors.ts';
import { containerEvent } from './container-event.ts';
import { insist } from './insist.ts';
import { type Lifecycle, present } from './lifecycle.ts';
import { mergeResources, onlyAsked } from './merge-resources.ts';
import { specResources } from './process-spec.ts';
import { type ContainerRecord, isAlive } from './record.ts';
import type { Commit } from './repository.ts';
import { checkRestartPolicy } from './validate.ts';
import { checkResources } from './validate-resources.ts';

/**
 * Changes limits and the restart policy. The record has the new ones, and that the kernel is yet to get them, before it does:
 * an update that is cut off there is finished by the next start of the engine.
 */
export function updateContainer(
  lifecycle: Lifecycle,
  request: UpdateContainerRequest,
  commit: (outcome: UpdateContainerResponse) => Commit<UpdateContainerResponse>,
): Promise<UpdateContainerResponse> {
  const { repository, queue } = lifecycle;
  const { id } = repository.find(request.container);
  return queue.run(id, async () => {
    const record = present(lifecycle, id);
    if (record.status === 'removing' || record.status === 'dead') {
      throw errors.removalInProgress({ container: id, verb: '"update"' });
    }
    const { hostConfig, warnings } = updated(lifecycle, record, request);
    if (isAlive(record) && request.resources !== undefined) {
      const pending = { verb: 'update', requestId: currentCall()?.requestId ?? '' } as const;
      repository.apply({ put: [{ ...record, hostConfig, pending }] });
      try {
        await setLimits(lifecycle, id, hostConfig.resources, request.resources);
      } catch (error) {
        const now = present(lifecycle, id);
        // What became of the container meanwhile is no fault of the update's.
        if (isAlive(now)) {
          repository.apply({ put: [{ ...now, hostConfig: record.hostConfig, pending: record.pending }] });
          throw error;
        }
      }
    }
    const settled = { ...present(lifecycle, id), hostConfig, pending: record.pending };
    return repository.apply(
      { put: [settled], events: [containerEvent(settled, 'update', lifecycle.now())] },
      commit({ outcome: Outcome.OUTCOME_DONE, warnings }),
    );
  });
}

/** After a crash in between: the kernel gets what the record says. */
export async function finishUpdate(lifecycle: Lifecycle, { id, hostConfig }: ContainerRecord): Promise<void> {
  const { resources } = hostConfig;
  try {
    if (resources !== undefined) await setLimits(lifecycle, id, resources, resources);
  } catch (error) {
    lifecycle.log.warn({ container: id, problem: messageOf(error) }, 'an update that was cut off failed');
  }
  const now = lifecycle.repository.get(id);
  if (now?.pending?.verb === 'update') lifecycle.repository.apply({ put: [{ ...now, pending: undefined }] });
}

function updated(
  { engine }: Lifecycle,
  { id, hostConfig }: ContainerRecord,
  { resources: asked, restartPolicy }: UpdateContainerRequest,
): { hostConfig: HostConfig; warnings: string[] } {
  const merged = mergeResources(id, hostConfig.resources ?? ContainerResources.create(), asked);
  const { resources, warnings } = checkResources({ ...hostConfig, resources: merged }, engine.facts.host, true);
  const changed = { ...hostConfig, resources };
  if (restartPolicy === undefined || restartPolicy.name === '') return { hostConfig: changed, warnings };
  if (hostConfig.autoRemove && restartPolicy.name !== 'no') {
    const problem = 'Restart policy cannot be updated because AutoRemove is enabled for the container';
    throw errors.cannotUpdate({ container: id, problem });
  }
  const withPolicy = { ...changed, restartPolicy };
  checkRestartPolicy(withPolicy);
  return { hostConfig: withPolicy, warnings };
}

/** Gives the kernel those limits that were asked for, as they are now. */
async function setLimits(
  lifecycle: Lifecycle,
  id: string,
  now: ContainerResources | undefined,
  asked: ContainerResources,
): Promise<void> {
  const { usage } = lifecycle.engine.clients.execdriver;
  const resources = specResources(onlyAsked(now ?? ContainerResources.create(), asked));
  await insist((options) => usage.updateResources({ id, resources }, options));
}
