import { createKeyedQueue } from '../../../kit/queue.ts';
import type {
  Container,
  CreateContainerRequest,
  CreateContainerResponse,
  GetContainerRequest,
  KillContainerRequest,
  KillContainerResponse,
  ListContainersRequest,
  OpenFilesRequest,
  OpenFilesResponse,
  OpenStreamRequest,
  OpenStreamResponse,
  PauseContainerRequest,
  PauseContainerResponse,
  PruneContainersRequest,
  PruneContainersResponse,
  RemoveContainerRequest,
  RemoveContainerResponse,
  RenameContainerRequest,
  RenameContainerResponse,
  ReportDetachRequest,
  ReportDetachResponse,
  RestartContainerRequest,
  RestartContainerResponse,
  StartContainerRequest,
  StartContainerResponse,
  StopContainerRequest,
  StopContainerResponse,
  UpdateContainerRequest,
  UpdateContainerResponse,
  WaitContainerRequest,
  WaitContainerResponse,
} from '../../../proto/gen/longshore/daemon/v1/container.ts';
import type { Engine } from '../daemon.ts';
import type { Events } from '../events/events.ts';
import { createContainer } from './create.ts';
import { type Creations, openCreations } from './creations.ts';
import { watchExecs } from './exec-watch.ts';
import { type Clock, systemClock } from './health/clock.ts';
import { openHealthMonitors } from './health/monitors.ts';
import { measure, toContainer } from './inspect.ts';
import { killContainer } from './kill.ts';
import { createClock, type Lifecycle } from './lifecycle.ts';
import { withLinks } from './linked.ts';
import { listContainers, openStream, reportDetach } from './list.ts';
import { openFiles } from './open-files.ts';
import { pauseContainer, unpauseContainer } from './pause.ts';
import { type ProcessWatch, watchProcesses } from './process-watch.ts';
import { pruneContainers } from './prune.ts';
import type { ContainerRecord } from './record.ts';
import { removeContainer } from './remove.ts';
import { renameContainer } from './rename.ts';
import { type Commit, openRepository } from './repository.ts';
import { restartContainer } from './restart.ts';
import { withSystemPaths } from './security-options.ts';
import { shutDown } from './shutdown.ts';
import { startContainer } from './start.ts';
import { stopContainer } from './stop.ts';
import { updateContainer } from './update.ts';
import { waitContainer } from './wait.ts';
import { createWaits } from './waits.ts';

/** A mutation: `commit` keeps its outcome in the transaction that settles it. */
export type Verb<Request, Response> = (
  request: Request,
  commit: (outcome: Response) => Commit<Response>,
) => Promise<Response>;

/** All containers of the engine, and what can be done with them. */
export interface Containers {
  create: Verb<CreateContainerRequest, CreateContainerResponse>;
  /** Goes around a create as a client asks for it, its outcome and the sync of that included: then the answer is given. */
  answering: Creations['answering'];
  reportAnswer: Creations['report'];
  start: Verb<StartContainerRequest, StartContainerResponse>;
  stop: Verb<StopContainerRequest, StopContainerResponse>;
  restart: Verb<RestartContainerRequest, RestartContainerResponse>;
  kill: Verb<KillContainerRequest, KillContainerResponse>;
  pause: Verb<PauseContainerRequest, PauseContainerResponse>;
  unpause: Verb<PauseContainerRequest, PauseContainerResponse>;
  rename: Verb<RenameContainerRequest, RenameContainerResponse>;
  update: Verb<UpdateContainerRequest, UpdateContainerResponse>;
  remove: Verb<RemoveContainerRequest, RemoveContainerResponse>;
  prune: Verb<PruneContainersRequest, PruneContainersResponse>;
  wait(request: WaitContainerRequest, signal: AbortSignal): AsyncIterable<WaitContainerResponse>;
  get(request: GetContainerRequest): Promise<Container>;
  list(request: ListContainersRequest): AsyncIterable<Container>;
  openStream(request: OpenStreamRequest): OpenStreamResponse;
  reportDetach: Verb<ReportDetachRequest, ReportDetachResponse>;
  openFiles(request: OpenFilesRequest, signal: AbortSignal): AsyncIterable<OpenFilesResponse>;
  /** The records as they are now, oldest first. */
  records(): ContainerRecord[];
  /** Begins to follow execdriver, and settles when no exit can be missed any more. */
  watching(): Promise<void>;
  /**
   * Ends what the engine does with containers. With live restore they run on; without it they are stopped, each with its own
   * signal and patience, and their restart policies start them again with the next engine.
   */
  shutdown(options: { liveRestore: boolean }): Promise<void>;
}

const lifecycles = new WeakMap<Containers, Lifecycle>();

/** For the restore step, which goes deeper than the verbs. */
export function lifecycleOf(containers: Containers): Lifecycle {
  const lifecycle = lifecycles.get(containers);
  if (lifecycle === undefined) throw new Error('these containers were not opened here');
  return lifecycle;
}

export function openContainers(engine: Engine, events: Pick<Events, 'record'>, clock: Clock = systemClock): Containers {
  const health = openHealthMonitors(() => lifecycle, clock);
  const repository = openRepository(engine.records, engine.links, { record: events.record, changed: health.follow });
  const lifecycle: Lifecycle = {
    engine,
    log: engine.log,
    repository,
    queue: createKeyedQueue(),
    waits: createWaits(),
    health,
    now: createClock(),
    reservedNames: new Map(),
    creations: openCreations(repository, engine.log),
    held: new Map(),
    earlyExits: new Map(),
    heldExits: undefined,
    signalling: new Map(),
    restartTimers: new Map(),
    underWay: new Map(),
    filesLeases: new Map(),
    isEnding: false,
  };
  const ended = new AbortController();
  let watch: ProcessWatch | undefined;
  let execWatch: Promise<void> | undefined;

  const containers: Containers = {
    create: (request, commit) => createContainer(lifecycle, request, commit),
    answering: lifecycle.creations.answering,
    reportAnswer: lifecycle.creations.report,
    start: ({ container }, commit) => startContainer(lifecycle, container, commit),
    stop: (request, commit) => stopContainer(lifecycle, request, commit),
    restart: (request, commit) => restartContainer(lifecycle, request, commit),
    kill: (request, commit) => killContainer(lifecycle, request, commit),
    pause: ({ container }, commit) => pauseContainer(lifecycle, container, commit),
    unpause: ({ container }, commit) => unpauseContainer(lifecycle, container, commit),
    rename: (request, commit) => renameContainer(lifecycle, request, commit),
    update: (request, commit) => updateContainer(lifecycle, request, commit),
    remove: (request, commit) => removeContainer(lifecycle, request, commit),
    prune: (request, commit) => pruneContainers(lifecycle, request, commit),
    wait: (request, signal) => waitContainer(lifecycle, request, signal),
    async get({ container, withSize }) {
      const record = lifecycle.repository.find(container);
      const sizes = withSize ? await measure(lifecycle, record) : undefined;
      const shown = withLinks(lifecycle, record);
      const hostConfig = withSystemPaths(shown.hostConfig, engine.facts.host);
      return toContainer({ ...shown, hostConfig }, lifecycle.health.of(record), sizes);
    },
    list: (request) => listContainers(lifecycle, request),
    openStream: (request) => openStream(lifecycle, request),
    reportDetach: async (request, commit) => reportDetach(lifecycle, request, commit),
    openFiles: (request, signal) => openFiles(lifecycle, request, signal),
    records: () => lifecycle.repository.all(),
    watching() {
      watch ??= watchProcesses(lifecycle, ended.signal);
      execWatch ??= watchExecs(lifecycle, ended.signal);
      return watch.standing;
    },
    async shutdown(options) {
      await shutDown(lifecycle, options);
      ended.abort();
      await Promise.all([watch?.ended, execWatch]);
    },
  };
  lifecycles.set(containers, lifecycle);
  return containers;
}
