import type { PruneContainersRequest } from '../../proto/gen/longshore/daemon/v1/container.ts';
import { BadRequest } from './errors.ts';
import type { Query } from './query.ts';
import { timeBefore } from './times.ts';

/** `until`, `label` and `label!`, as `docker container prune` sends them. */
export function pruneContainersRequest(query: Query): PruneContainersRequest {
  const filters = query.filters(['until', 'label', 'label!']);
  const [until, ...more] = filters.until ?? [];
  if (more.length > 0) throw new BadRequest('more than one until filter specified');
  const untilNs = until === undefined ? 0n : timeBefore(until);
  if (untilNs === undefined) throw new BadRequest(`invalid filter 'until=${until}': neither a time nor a duration`);
  return { untilNs, labels: filters.label ?? [], withoutLabels: filters['label!'] ?? [] };
}
