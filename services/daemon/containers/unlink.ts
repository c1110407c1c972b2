import { currentCall } from '../../../kit/rpc/call.ts';
import { Outcome } from '../../../proto/gen/longshore/contract/v1/outcome.ts';
import type { RemoveContainerResponse } from '../../../proto/gen/longshore/daemon/v1/container.ts';
import { errors } from '../errors.ts';
import { containerEvent } from './container-event.ts';
import { type Lifecycle, present } from './lifecycle.ts';
import { hasHosts, refreshHosts, setHosts } from './link-hosts.ts';
import { type ContainerRecord, isAlive } from './record.ts';
import type { Commit } from './repository.ts';

/**
 * Takes away the link at `parent/alias`; the containers stay. Of a parent that runs the hosts come first: cut off there, the
 * link is still in the graph, by which the next start of the engine puts the hosts right, and who asks again finds it.
 */
export async function removeLink(
  lifecycle: Lifecycle,
  reference: string,
  commit: (outcome: RemoveContainerResponse) => Commit<RemoveContainerResponse>,
): Promise<RemoveContainerResponse> {
  const { repository, queue, engine } = lifecycle;
  const path = `/${reference.replace(/^\//, '')}`;
  const at = path.lastIndexOf('/');
  const [parent, name] = [path.slice(0, at), path.slice(at + 1)];
  if (parent === '') throw errors.linkIsName({ path });
  const holder = repository.byName(parent.slice(1));
  if (holder === undefined) throw errors.linkWithoutParent({ parent, path });
  const { id } = holder;
  return queue.run(id, async () => {
    const record = present(lifecycle, id);
    // Its parent may have been renamed meanwhile.
    if (engine.links.get(path) === undefined) return { outcome: Outcome.OUTCOME_ABSENT };
    if (hasHosts(record)) {
      const pending = { verb: 'unlink', requestId: currentCall()?.requestId ?? '' } as const;
      repository.apply({ put: [{ ...record, pending }] });
      try {
        await setHosts(lifecycle, record, ({ alias }) => alias !== name);
      } catch (error) {
        const now = present(lifecycle, id);
        // One that has ended meanwhile has no hosts any more.
        if (isAlive(now)) {
          repository.apply({ put: [{ ...now, pending: record.pending }] });
          throw error;
        }
      }
    }
    engine.links.delete(path);
    const settled = { ...present(lifecycle, id), pending: record.pending };
    return repository.apply(
      { put: [settled], events: [containerEvent(settled, 'update', lifecycle.now())] },
      commit({ outcome: Outcome.OUTCOME_DONE }),
    );
  });
}

/** After a crash in between: the hosts say what the link graph does. */
export async function settleUnlink(lifecycle: Lifecycle, record: ContainerRecord): Promise<void> {
  const { id } = record;
  await refreshHosts(lifecycle, id);
  const now = lifecycle.repository.get(id);
  if (now?.pending?.verb === 'unlink') lifecycle.repository.apply({ put: [{ ...now, pending: undefined }] });
}
