import { join, posix } from 'node:path';
import { openControl } from '../../kit/control.ts';
import { programVersion } from '../../kit/flags.ts';
import { createMounts } from '../../kit/linux/mounts.ts';
import { createProcesses } from '../../kit/linux/spawn.ts';
import { createKeyedQueue } from '../../kit/queue.ts';
import { openRecords } from '../../kit/records.ts';
import { createOwnHealth } from '../../kit/rpc/health.ts';
import { serve, service } from '../../kit/rpc/serve.ts';
import type { Running, ServiceConfig } from '../../kit/service.ts';
import { ControlServiceDefinition, InitRequest } from '../../proto/gen/longshore/execdriver/v1/control.ts';
import { ExecServiceDefinition } from '../../proto/gen/longshore/execdriver/v1/exec.ts';
import { FileServiceDefinition } from '../../proto/gen/longshore/execdriver/v1/files.ts';
import { HostServiceDefinition } from '../../proto/gen/longshore/execdriver/v1/host.ts';
import { ProcessServiceDefinition } from '../../proto/gen/longshore/execdriver/v1/process.ts';
import { StreamServiceDefinition } from '../../proto/gen/longshore/execdriver/v1/stream.ts';
import { UsageServiceDefinition } from '../../proto/gen/longshore/execdriver/v1/usage.ts';
import { readHierarchies } from './cgroups/hierarchies.ts';
import { openAttachments } from './containers/attachments.ts';
import { Container } from './containers/container.ts';
import { openEvents } from './containers/events.ts';
import { containerRecords, migrations } from './containers/record.ts';
import { controlService, type Sessions } from './control-service.ts';
import { errors } from './errors.ts';
import { execService } from './exec-service.ts';
import { openExecCourse } from './execs/course.ts';
import { openExecEvents } from './execs/events.ts';
import { Exec } from './execs/exec.ts';
import { openReadyMonitors } from './execs/ready-monitors.ts';
import { execRecords } from './execs/record.ts';
import { fileService } from './file-service.ts';
import { openFilesThreads } from './files/threads.ts';
import { createAppArmor } from './host/apparmor.ts';
import { probeHost } from './host/probe.ts';
import { openForwarding } from './logs/forward/forwarding.ts';
import { openLogRemoval } from './logs/removal.ts';
import { makePaths } from './paths.ts';
import { processService } from './process-service.ts';
import { removeTree } from './removal.ts';
import { openSealedPrograms } from './runtime/sealed-programs.ts';
import { type Estate, openSession, type Session } from './session.ts';
import { readEngineFacts } from './spec/facts.ts';
import { usualPaths } from './spec/paths.ts';
import { streamService } from './stream-service.ts';
import { usageService } from './usage-service.ts';

export async function start(config: ServiceConfig): Promise<Running> {
  const { dataRoot, execRoot, log } = config;
  const records = openRecords(join(dataRoot, 'execdriver', 'processes.db'), { migrations });
  const saved = containerRecords(records);
  const savedExecs = execRecords(records);
  const paths = makePaths(dataRoot, execRoot);
  const containers = new Map(saved.load().map((record) => [record.id, new Container(record)]));
  const attachments = openAttachments(containers, paths);
  const events = openEvents(records);
  const execEvents = openExecEvents(records);
  const processes = createProcesses();
  const readyMonitors = openReadyMonitors((place) => removeTree(paths.execOf(place)));
  const execs = new Map(savedExecs.load().map((record) => [record.id, new Exec(record)]));
  const course = openExecCourse({ records, execs, execRecords: savedExecs, execEvents, paths, log });
  const estate: Estate = {
    records,
    containerRecords: saved,
    containers,
    events,
    attachments,
    execs,
    execRecords: savedExecs,
    execEvents,
    course,
    readyMonitors,
    queue: createKeyedQueue(),
    forwarding: openForwarding({ paths, log }),
    logRemoval: openLogRemoval(paths, log),
    paths,
    facts: await readEngineFacts(),
    processes,
    sealed: openSealedPrograms(),
    appArmor: createAppArmor(processes, execRoot),
    mounts: createMounts(),
    execRoot,
    log,
  };
  const health = createOwnHealth();
  const afterInit = [
    ProcessServiceDefinition,
    StreamServiceDefinition,
    ExecServiceDefinition,
    UsageServiceDefinition,
    FileServiceDefinition,
  ];
  const sessions = openSessions(estate, (isOpen) => health.set(isOpen, ...afterInit));
  const driver = () => sessions.current?.driver ?? fail();
  const execVerbs = () => sessions.current?.execs ?? fail();
  const probes = () => sessions.current?.probes ?? fail();
  const threads = openFilesThreads({ workplace: join(execRoot, 'files') });
  const control = openControl(records);

  const remembered = control.remembered();
  if (remembered !== undefined) {
    try {
      await sessions.open(InitRequest.decode(remembered.policy), remembered.engineId);
    } catch (error) {
      log.error({ err: error }, 'cannot resume; waiting for the coordinator');
    }
  }
  const identity = { version: programVersion(), dataRoot, execRoot };
  const { capabilities, thermalPaths } = estate.facts;
  const host = { probe: async () => ({ ...probeHost(readHierarchies(), capabilities), ...usualPaths(thermalPaths) }) };
  const served = await serve({
    ...config,
    services: [
      service(ControlServiceDefinition, controlService({ control, sessions, identity }), { serving: true }),
      service(HostServiceDefinition, host, { serving: true }),
      service(ProcessServiceDefinition, processService({ records, driver, attachments, events, paths })),
      service(
        FileServiceDefinition,
        fileService({ threads, needInit: driver, idMaps: () => sessions.current?.idMaps }),
      ),
      service(UsageServiceDefinition, usageService({ records, driver, facts: estate.facts, readyMonitors })),
      service(ExecServiceDefinition, execService({ records, execs: execVerbs, probes, events: execEvents })),
      service(StreamServiceDefinition, streamService({ containers, attachments, paths })),
    ],
    health,
  });
  return {
    async stop() {
      sessions.current?.probes.close();
      await served.stop();
      await readyMonitors.drop();
      sessions.take()?.close();
      course.close();
      await estate.logRemoval.settled();
      estate.forwarding.close();
      for (const container of containers.values()) container.disconnect();
      estate.sealed.close();
      records.close();
    },
  };
}

function fail(): never {
  throw errors.notInitialised();
}

/** In a parent that was given there may be others' cgroups; the engine's own are in one with its name. */
function cgroupsOf(parent: string, engineId: string) {
  const own = `longshore-${engineId.slice(0, 12)}`;
  return { cgroupParent: posix.join('/', parent || own), cgroupHome: posix.join('/', parent, own) };
}

function openSessions(estate: Estate, onChange: (isOpen: boolean) => void): Sessions {
  let current: Session | undefined;
  let hasOpened = false;
  return {
    get current() {
      return current;
    },
    async open(request, engineId) {
      const policy = {
        runtimes: {
          default: request.defaultRuntime,
          named: new Map(request.runtimes.map(({ name, path }) => [name, path])),
        },
        defaultUlimits: request.defaultUlimits,
        idMaps: request.idMaps,
        ...cgroupsOf(request.cgroupParent, engineId),
      };
      const opened = await openSession(estate, policy, hasOpened);
      hasOpened = true;
      current?.close();
      current = opened;
      onChange(true);
      return opened;
    },
    take() {
      const taken = current;
      current = undefined;
      onChange(false);
      return taken;
    },
  };
}
