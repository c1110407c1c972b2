import type {
  Container,
  ListContainersRequest,
  OpenStreamRequest,
  OpenStreamResponse,
  ReportDetachRequest,
  ReportDetachResponse,
} from '../../../proto/gen/longshore/daemon/v1/container.ts';
import { StreamPurpose } from '../../../proto/gen/longshore/daemon/v1/container.ts';
import { errors } from '../errors.ts';
import { logAttributes } from '../logging/attributes.ts';
import { logConfigOf } from '../logging/log-config.ts';
import { containerEvent } from './container-event.ts';
import { containerFilter } from './filter.ts';
import { measure, statusNumber, toContainer } from './inspect.ts';
import type { Lifecycle } from './lifecycle.ts';
import { withLinks } from './linked.ts';
import { type ContainerRecord, isAlive, isRunning } from './record.ts';
import type { Commit } from './repository.ts';

/** Newest first. Sizes are measured one after the other, as the reader takes them. */
export async function* listContainers(
  lifecycle: Lifecycle,
  request: ListContainersRequest,
): AsyncGenerator<Container, void> {
  const { filter, limit } = request;
  const isWanted = filter === undefined ? () => true : await containerFilter(lifecycle, filter);
  const showsAll = request.all || limit > 0 || (filter?.statuses.length ?? 0) > 0;
  const found = lifecycle.repository
    .all()
    .reverse()
    .filter((record) => (showsAll || isRunning(record)) && isWanted(record));
  for (const record of limit > 0 ? found.slice(0, limit) : found) {
    const sizes = request.withSize ? await measure(lifecycle, record) : undefined;
    yield toContainer(withLinks(lifecycle, record), lifecycle.health.of(record), sizes);
  }
}

/** What a client needs to go to the owner of a container's bytes. */
export function openStream(lifecycle: Lifecycle, request: OpenStreamRequest): OpenStreamResponse {
  const record = lifecycle.repository.find(request.container);
  const { config, hostConfig } = record;
  assertCanServe(record, request);
  const told = eventOf(request);
  if (told !== undefined) {
    lifecycle.repository.apply({ events: [containerEvent(record, told.action, lifecycle.now(), told.attributes)] });
  }
  const log = logConfigOf(hostConfig, lifecycle.engine.facts.defaults);
  return {
    containerId: record.id,
    name: record.name,
    tty: config.tty,
    openStdin: config.openStdin,
    stdinOnce: config.stdinOnce,
    status: statusNumber(record.status),
    generation: record.generation,
    logDriver: log.type,
    logAttributes: logAttributes(log.config, record),
    autoRemove: hostConfig.autoRemove,
  };
}

/** What the events say that a client does. */
function eventOf({
  purpose,
  rows,
  columns,
}: OpenStreamRequest): { action: string; attributes?: Attributes } | undefined {
  switch (purpose) {
    case StreamPurpose.STREAM_PURPOSE_ATTACH:
      return { action: 'attach' };
    case StreamPurpose.STREAM_PURPOSE_TOP:
      return { action: 'top' };
    case StreamPurpose.STREAM_PURPOSE_RESIZE:
      return { action: 'resize', attributes: { height: String(rows ?? 0), width: String(columns ?? 0) } };
    default:
      return undefined;
  }
}

type Attributes = Record<string, string>;

/** Processes and their usage are those of a living container, and only one that is not frozen can have a further process. */
function assertCanServe(record: ContainerRecord, { purpose, container }: OpenStreamRequest): void {
  const { id, status } = record;
  if (purpose === StreamPurpose.STREAM_PURPOSE_UNSPECIFIED) return;
  if (purpose === StreamPurpose.STREAM_PURPOSE_ATTACH) {
    if (status === 'paused') throw errors.attachPaused({ container });
    if (status === 'restarting') throw errors.attachRestarting({ container });
    return;
  }
  if (status === 'restarting') throw errors.containerRestarting({ container: id });
  if (!isAlive(record)) throw errors.containerNotRunning({ container: id });
  const isExec = purpose === StreamPurpose.STREAM_PURPOSE_EXEC;
  if (isExec && status === 'paused') throw errors.execPaused({ container });
}

/** A client let go by its detach keys. */
export function reportDetach(
  lifecycle: Lifecycle,
  { container, execId }: ReportDetachRequest,
  commit: (outcome: ReportDetachResponse) => Commit<ReportDetachResponse>,
): ReportDetachResponse {
  const record = lifecycle.repository.find(container);
  const [action, attributes] =
    execId === '' ? (['detach', {}] as const) : (['exec_detach', { execID: execId }] as const);
  const event = containerEvent(record, action, lifecycle.now(), attributes);
  return lifecycle.repository.apply({ events: [event] }, commit({}));
}
