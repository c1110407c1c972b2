import {
  PauseContainerRequest,
  PauseContainerResponse,
  type ProcessServiceImplementation,
  RemoveContainerRequest,
  RemoveContainerResponse,
  ResizeTerminalRequest,
  ResizeTerminalResponse,
  ResumeContainerRequest,
  ResumeContainerResponse,
  SignalContainerRequest,
  SignalContainerResponse,
  StartContainerRequest,
  StartContainerResponse,
} from '../../proto/gen/longshore/execdriver/v1/process.ts';
import { watched } from '../events.ts';
import type { Life } from '../fake.ts';
import { repeatable } from '../repeatable.ts';
import type { ContainerMemory, ContainerStore } from './containers.ts';
import { errors } from './errors.ts';
import { programOf } from './program.ts';
import { waitForExit } from './wait.ts';

export function processService(
  { records }: Life<ContainerMemory>,
  store: ContainerStore,
  needInit: () => unknown,
): ProcessServiceImplementation {
  return {
    startContainer: repeatable(records, StartContainerRequest, StartContainerResponse, (request) => {
      needInit();
      const spec = checked(request);
      const [command = ''] = spec.args;
      const program = programOf(spec.args);
      if (program === 'not found') throw errors.commandNotFound({ command });
      if (program === 'not executable') throw errors.commandNotExecutable({ command });
      return store.start(request, spec, program);
    }),
    signalContainer: repeatable(records, SignalContainerRequest, SignalContainerResponse, ({ id, signal }) => {
      needInit();
      return { outcome: store.signal(id, signal) };
    }),
    pauseContainer: repeatable(records, PauseContainerRequest, PauseContainerResponse, ({ id }) => {
      needInit();
      return { outcome: store.setPaused(id, true) };
    }),
    resumeContainer: repeatable(records, ResumeContainerRequest, ResumeContainerResponse, ({ id }) => {
      needInit();
      return { outcome: store.setPaused(id, false) };
    }),
    resizeTerminal: repeatable(records, ResizeTerminalRequest, ResizeTerminalResponse, ({ id, rows, columns }) => {
      needInit();
      return { outcome: store.resize(id, rows, columns) };
    }),
    async *waitContainer({ id, generation }, { signal }) {
      needInit();
      yield await waitForExit(store, id, generation, signal);
    },
    removeContainer: repeatable(records, RemoveContainerRequest, RemoveContainerResponse, ({ id, keepLogs }) => {
      needInit();
      return { outcome: store.remove(id, keepLogs) };
    }),
    async getContainer({ id }) {
      needInit();
      return { process: store.process(id) };
    },
    async *listContainers() {
      needInit();
      for (const process of store.processes()) yield { process };
    },
    async *watchContainers({ after }, { signal }) {
      needInit();
      yield* watched(store.events, after, signal);
    },
  };
}

/** As a small image's passwd has them. */
const users = ['root', 'daemon', 'bin', 'sys', 'nobody'];

function checked({ id, generation, spec }: StartContainerRequest) {
  if (!/^[0-9a-f]{64}$/.test(id)) throw errors.invalidId({ id });
  if (generation < 1) throw errors.badSpec({ field: 'generation', problem: 'is counted from 1' });
  if (spec === undefined) throw errors.badSpec({ field: 'spec', problem: 'is needed' });
  if (!spec.rootPath.startsWith('/')) throw errors.badSpec({ field: 'root_path', problem: 'is not absolute' });
  if (spec.args.length === 0) throw errors.badSpec({ field: 'args', problem: 'no command is named' });
  const sysctl = Object.keys(spec.sysctls).find((name) => name.startsWith('net.'));
  if (sysctl !== undefined && spec.networkNamespacePath === '') {
    throw errors.badSpec({ field: 'sysctls', problem: `${sysctl} needs a network namespace that is joined` });
  }
  checkUser(spec.user);
  return spec;
}

/** `user` or `user:group`. UNKNOWN_USER. */
export function checkUser(name: string): void {
  const [user = ''] = name.split(':');
  if (user !== '' && !/^\d+$/.test(user) && !users.includes(user)) throw errors.unknownUser({ user });
}
