import { messageOf } from '../../../kit/errors.ts';
import type {
  PruneContainersRequest,
  PruneContainersResponse,
} from '../../../proto/gen/longshore/daemon/v1/container.ts';
import { errors } from '../errors.ts';
import { hasLabel } from '../events/filter.ts';
import { joined, type Lifecycle } from './lifecycle.ts';
import type { ContainerRecord } from './record.ts';
import { removeNow } from './remove.ts';
import type { Commit } from './repository.ts';

/** Removes what does not run; not its volumes. */
export async function pruneContainers(
  lifecycle: Lifecycle,
  request: PruneContainersRequest,
  commit: (outcome: PruneContainersResponse) => Commit<PruneContainersResponse>,
): Promise<PruneContainersResponse> {
  if (lifecycle.underWay.has(pruning)) throw errors.pruneRunning();
  return joined(lifecycle, pruning, () => prune(lifecycle, request, commit));
}

/** The name of the work. */
const pruning = 'prune';

async function prune(
  lifecycle: Lifecycle,
  request: PruneContainersRequest,
  commit: (outcome: PruneContainersResponse) => Commit<PruneContainersResponse>,
): Promise<PruneContainersResponse> {
  const { repository, queue, log } = lifecycle;
  const removed: string[] = [];
  let reclaimed = 0;
  for (const { id } of repository.all().filter((record) => isUnused(record) && matches(record, request))) {
    try {
      await queue.run(id, async () => {
        const record = repository.get(id);
        if (record === undefined || !isUnused(record)) return;
        const size = await writtenBytes(lifecycle, id);
        await removeNow(lifecycle, record, false);
        removed.push(id);
        reclaimed += size;
      });
    } catch (error) {
      log.warn({ container: id, problem: messageOf(error) }, 'a container could not be pruned');
    }
  }
  const attributes = { reclaimed: String(reclaimed) };
  const event = { type: 'container', action: 'prune', actorId: '', attributes, timeNs: lifecycle.now() };
  return repository.apply({ events: [event] }, commit({ removed, reclaimed }));
}

function isUnused({ status }: ContainerRecord): boolean {
  return status === 'created' || status === 'exited' || status === 'dead';
}

function matches(record: ContainerRecord, { untilNs, labels, withoutLabels }: PruneContainersRequest): boolean {
  const has = (label: string) => hasLabel(record.config.labels, label);
  return (untilNs === 0n || record.createdAtNs < untilNs) && labels.every(has) && !withoutLabels.some(has);
}

/** What its removal gives back; a layer that cannot be measured counts for nothing. */
async function writtenBytes({ engine }: Lifecycle, id: string): Promise<number> {
  try {
    const { layer } = await engine.clients.graphdriver.layers.getLayer({ id, measure: true });
    return layer?.size ?? 0;
  } catch {
    return 0;
  }
}
