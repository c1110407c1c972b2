import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { ControlServiceDefinition } from '../../proto/gen/longshore/execdriver/v1/control.ts';
import { ExecEvent, ExecServiceDefinition } from '../../proto/gen/longshore/execdriver/v1/exec.ts';
import { FileServiceDefinition } from '../../proto/gen/longshore/execdriver/v1/files.ts';
import { HostServiceDefinition } from '../../proto/gen/longshore/execdriver/v1/host.ts';
import { ProcessEvent, ProcessServiceDefinition } from '../../proto/gen/longshore/execdriver/v1/process.ts';
import { StreamServiceDefinition } from '../../proto/gen/longshore/execdriver/v1/stream.ts';
import { UsageServiceDefinition } from '../../proto/gen/longshore/execdriver/v1/usage.ts';
import type { Controlled } from '../common/control-suite.ts';
import { newId, type Target } from '../common/session.ts';
import { subsystemSuite } from '../common/subsystem-suite.ts';
import { watchSuite } from '../common/watch-suite.ts';
import { refused } from '../common/wire.ts';
import { attachSuite } from './attach.ts';
import { type Bench, benchOf } from './bench.ts';
import { execSuite } from './execs.ts';
import { filesSuite } from './files.ts';
import { lifeSuite } from './life.ts';
import { logSuite } from './logs.ts';
import { startSuite } from './start.ts';
import { usageSuite } from './usage.ts';

export interface ExecdriverTarget extends Target {
  /** A root filesystem, absolute on the implementation's host, with true, false, echo, sleep, cat and sh in /bin. */
  rootPath: string;
  /** `crun`, `runc`, …; the implementation's own choice when left out. */
  runtime?: string;
}

/** Proves an implementation of longshore.execdriver.v1. */
export function execdriverSuite(target: ExecdriverTarget): void {
  const { runtime: defaultRuntime = '' } = target;
  const controlled: Controlled = {
    role: 'execdriver',
    identify: (connection) => connection.client(ControlServiceDefinition).identify({}),
    init: (connection, fence) => connection.client(ControlServiceDefinition).init({ fence, defaultRuntime }),
    drain: (connection) => connection.client(ControlServiceDefinition).drain({}),
    verb: (connection) => Array.fromAsync(connection.client(ProcessServiceDefinition).listContainers({})),
    afterInit: ['ProcessService', 'StreamService', 'ExecService', 'UsageService', 'FileService'],
    always: ['ControlService', 'HostService'],
  };
  subsystemSuite(target, controlled, (session) => {
    let bench: Bench;
    const current = () => bench;
    before(() => {
      const { connection, newFence } = session();
      bench = benchOf(target.rootPath, {
        session: session(),
        control: connection.client(ControlServiceDefinition),
        processes: connection.client(ProcessServiceDefinition),
        streams: connection.client(StreamServiceDefinition),
        execs: connection.client(ExecServiceDefinition),
        usage: connection.client(UsageServiceDefinition),
        files: connection.client(FileServiceDefinition),
        reinit: () => controlled.init(connection, newFence()),
      });
    });

    describe('execdriver: opening', () => {
      test('HostService tells what the kernel can do, before Init too', async () => {
        const host = session().connection.client(HostServiceDefinition);
        await bench.control.drain({});
        const probe = await host.probe({});
        assert(['v1', 'hybrid', 'v2'].includes(probe.cgroupLayout));
        for (const text of [probe.bootId, probe.kernelVersion, probe.operatingSystem, probe.architecture]) {
          assert.notEqual(text, '');
        }
        assert(probe.cpus > 0);
        assert(probe.memoryTotal > 0);
        for (const path of [...probe.maskedPaths, ...probe.readonlyPaths]) assert.match(path, /^\/(proc|sys)\/./);
        assert(probe.maskedPaths.length > 0 && probe.readonlyPaths.length > 0);
        await bench.reinit();
      });

      test('Init with the boot id that HostService tells is accepted', async () => {
        const { bootId } = await session().connection.client(HostServiceDefinition).probe({});
        await controlled.init(session().connection, { ...session().newFence(), bootId });
      });

      test('Init names the runtime and the monitor with their versions', async () => {
        const { runtime, monitor } = await bench.control.init({ fence: session().fence(), defaultRuntime });
        assert.match(runtime, /\S+ \d/);
        assert.match(monitor, /\S+ \d/);
      });

      test('a runtime that is not there is FAILED_PRECONDITION, RUNTIME_MISSING', async () => {
        const missing = bench.control.init({ fence: session().newFence(), defaultRuntime: '/no/such/runtime' });
        await refused(missing, 'FAILED_PRECONDITION', 'RUNTIME_MISSING');
        await bench.reinit();
      });

      test('Init adopts living containers', async () => {
        const id = await bench.run(['sleep', '600']);
        const { adopted } = await bench.control.init({ fence: session().newFence(), defaultRuntime });
        assert(adopted >= 1);
        await bench.remove(id);
      });
    });

    startSuite(target, current);
    lifeSuite(target, current);
    attachSuite(current);
    logSuite(target, current);
    execSuite(current);
    usageSuite(current);
    filesSuite(target, current);

    watchSuite(target, {
      role: 'execdriver: execs',
      watch: (request, options) => bench.execs.watchExecs(request, options),
      word: ({ event, exec }) => `${execWords[event]} ${exec?.id}`,
      async happen() {
        const [containerId, id] = [await bench.run(['sleep', '600']), newId()];
        await bench.execs.createExec({ id, containerId, spec: { args: ['no-such-command'] } });
        await refused(startExec(bench, id), 'NOT_FOUND', 'COMMAND_NOT_FOUND');
        await bench.remove(containerId);
        return ['created', 'started', 'exited'].map((word) => `${word} ${id}`);
      },
    });

    const words: Readonly<Record<number, string>> = {
      [ProcessEvent.PROCESS_EVENT_STARTED]: 'started',
      [ProcessEvent.PROCESS_EVENT_EXITED]: 'exited',
      [ProcessEvent.PROCESS_EVENT_PAUSED]: 'paused',
      [ProcessEvent.PROCESS_EVENT_RESUMED]: 'resumed',
    };
    watchSuite(target, {
      role: 'execdriver',
      watch: (request, options) => bench.processes.watchContainers(request, options),
      word: ({ event, process }) => `${words[event]} ${process?.id}`,
      async happen() {
        const id = await bench.run(['sleep', '600']);
        await bench.processes.pauseContainer({ id });
        await bench.processes.resumeContainer({ id });
        await bench.remove(id);
        return ['started', 'paused', 'resumed', 'exited'].map((word) => `${word} ${id}`);
      },
    });
  });
}

const execWords: Readonly<Record<number, string>> = {
  [ExecEvent.EXEC_EVENT_CREATED]: 'created',
  [ExecEvent.EXEC_EVENT_STARTED]: 'started',
  [ExecEvent.EXEC_EVENT_EXITED]: 'exited',
};

function startExec(bench: Bench, id: string) {
  async function* frames() {
    yield { frame: { $case: 'open', value: { id, stdout: true, stderr: true } } } as const;
  }
  return bench.execs.execStart(frames());
}
