import { createHash } from 'node:crypto';
import { requireSpace } from '../../../kit/disk-space.ts';
import { Outcome } from '../../../proto/gen/longshore/contract/v1/outcome.ts';
import { ContainerConfig, HostConfig } from '../../../proto/gen/longshore/daemon/v1/config.ts';
import {
  CreateContainerRequest,
  type CreateContainerResponse,
} from '../../../proto/gen/longshore/daemon/v1/container.ts';
import { errors } from '../errors.ts';
import { acquire } from './acquire.ts';
import { containerEvent } from './container-event.ts';
import type { Before } from './creations.ts';
import { withDefaults } from './host-defaults.ts';
import type { Lifecycle } from './lifecycle.ts';
import { parseLink } from './linked.ts';
import { planMounts } from './mount-plan.ts';
import { reserveName, takeName } from './name-reservation.ts';
import { newRecord } from './new-record.ts';
import type { ContainerRecord } from './record.ts';
import type { Commit } from './repository.ts';
import { checkConfig } from './validate.ts';
import { networkWarnings } from './validate-isolation.ts';
import { checkResources } from './validate-resources.ts';

type Settle = (outcome: CreateContainerResponse) => Commit<CreateContainerResponse>;

/** Makes the record and the writable layer. Its effects bear the container's id, so what a crash leaves is found and undone. */
export function createContainer(
  lifecycle: Lifecycle,
  request: CreateContainerRequest,
  commit: Settle,
): Promise<CreateContainerResponse> {
  const { id } = request;
  if (!/^[0-9a-f]{64}$/.test(id)) {
    throw errors.badConfig({ field: 'id', problem: `a container id is 64 hex digits, not "${id}"` });
  }
  return lifecycle.creations.run(request, (before) =>
    lifecycle.queue.run(id, () => create(lifecycle, request, before, commit)),
  );
}

async function create(
  lifecycle: Lifecycle,
  request: CreateContainerRequest,
  { unanswered, made }: Before,
  commit: Settle,
): Promise<CreateContainerResponse> {
  const { id, endpoints, platform } = request;
  const { repository, engine } = lifecycle;
  const requestHash = createHash('sha256').update(CreateContainerRequest.encode(request).finish()).digest('hex');
  const existing = repository.get(id);
  if (existing !== undefined) {
    if (existing.requestHash !== requestHash) throw errors.containerExists({ container: id });
    return { outcome: Outcome.OUTCOME_ALREADY, id, name: existing.name, warnings: [] };
  }
  if (lifecycle.isEnding) throw errors.stopping();

  const config = request.config ?? ContainerConfig.create();
  const asked = withIds(lifecycle, request.hostConfig ?? HostConfig.create());
  if (config.image === '') throw errors.badConfig({ field: 'config.image', problem: 'no image specified' });
  checkConfig(config, asked, engine.facts);
  const { resources, warnings } = checkResources(asked, engine.facts.host);
  warnings.push(...networkWarnings(asked, engine.facts.host));
  if (made !== undefined) return { outcome: Outcome.OUTCOME_ALREADY, id: made.id, name: made.name, warnings };
  requireSpace(engine.facts.dataRoot);
  const host = { ...withDefaults(asked, engine.facts), resources };
  const planned = planMounts(id, host, config.volumes, repository.find);
  const links = host.links.map(parseLink).map(({ child, alias }) => ({ alias, child: repository.find(child).id }));

  using reserved = reserveName(lifecycle, id, request.name);
  const { name } = reserved;
  await using undo = new AsyncDisposableStack();
  const acquired = await acquire(lifecycle, { id, config, host, platform }, planned, undo);
  const parts = { id, name, requestHash, unanswered, config, host, endpoints, platform };
  const record = newRecord(parts, acquired, engine.facts, lifecycle.now());
  const outcome = settle(lifecycle, record, links, commit({ outcome: Outcome.OUTCOME_DONE, id, name, warnings }));
  undo.move();
  return outcome;
}

/** Names and links first: without a record they are swept, while a record without its name would be lost to its user. */
function settle<T>(
  lifecycle: Lifecycle,
  record: ContainerRecord,
  links: readonly { alias: string; child: string }[],
  commit: Commit<T>,
): T {
  const { engine, repository } = lifecycle;
  const { id, name } = record;
  try {
    takeName(lifecycle, name, id);
    for (const { alias, child } of links) engine.links.set(`/${name}/${alias}`, child);
    return repository.apply({ put: [record], events: [containerEvent(record, 'create', record.createdAtNs)] }, commit);
  } catch (error) {
    engine.links.purge(id);
    throw error;
  }
}

/** Another container is meant even when it is renamed: its id is kept. One that is not there may be when this one starts. */
function withIds({ repository }: Lifecycle, host: HostConfig): HostConfig {
  const byId = (mode: string) => {
    if (!mode.startsWith('container:') || mode === 'container:') return mode;
    try {
      return `container:${repository.find(mode.slice('container:'.length)).id}`;
    } catch {
      return mode;
    }
  };
  return { ...host, networkMode: byId(host.networkMode), pidMode: byId(host.pidMode), ipcMode: byId(host.ipcMode) };
}
