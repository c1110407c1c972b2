import { mkdirSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { isServiceError } from '../../../kit/errors.ts';
import { startTimeOf } from '../../../kit/linux/process.ts';
import type { Logger } from '../../../kit/log.ts';
import type { ExecSpec } from '../../../proto/gen/longshore/execdriver/v1/exec.ts';
import type { MonitorCgroup } from '../cgroups/monitors.ts';
import type { Container } from '../containers/container.ts';
import type { Outcome } from '../containers/exec-driver.ts';
import { checkSignal, signalMarked } from '../containers/signal.ts';
import { errors } from '../errors.ts';
import type { Paths } from '../paths.ts';
import { removeTree } from '../remove-tree.ts';
import { attachSocketOf, type ExecMonitor, type MonitorProgram, tellTerminalSize } from '../runtime/conmon.ts';
import type { Runtimes } from '../runtime/runtimes.ts';
import { encodeSpec } from '../spec/container.ts';
import type { EngineFacts } from '../spec/facts.ts';
import type { Client } from '../stdio/client.ts';
import { connectHub, type Hub } from '../stdio/hub.ts';
import type { ExecCourse } from './course.ts';
import type { ExecEvent } from './events.ts';
import { Exec } from './exec.ts';
import { execFailure, furtherProcess, servingContainer } from './further-process.ts';
import type { MonitorForm, ReadyMonitor, ReadyMonitors } from './ready-monitors.ts';
import type { ExecRecord } from './record.ts';
import { type ExecStore, forgetExec, saveExec } from './store.ts';

export interface ExecParts extends ExecStore {
  containers: ReadonlyMap<string, Container>;
  runtimes: Runtimes;
  monitor: MonitorProgram;
  monitorCgroup: MonitorCgroup;
  readyMonitors: ReadyMonitors;
  course: ExecCourse;
  facts: EngineFacts;
  paths: Paths;
  bootId: string;
  log: Logger;
}

export interface TerminalSize {
  rows: number;
  columns: number;
}

/** The verbs on execs. */
export interface Execs {
  /** `record` writes it to the disk, in a transaction of the caller's, before anything else becomes of it. */
  create(id: string, containerId: string, spec: ExecSpec, record: (save: () => void) => void): Outcome;
  /**
   * Starts it, with a client that sees the first byte. Throws what speaks against it; `started` rejects with what goes wrong
   * then: together what ExecStart does.
   */
  start(
    id: string,
    client: Client | undefined,
    size: TerminalSize | undefined,
  ): { exec: Exec; started: Promise<{ hub: Hub; pid: number }> };
  signal(id: string, signal: number): Outcome;
  resize(id: string, size: TerminalSize): void;
  /** Throws EXEC_NOT_FOUND. */
  get(id: string): Exec;
  list(containerId: string): Exec[];
}

/** So many that have ended are remembered of a container; health checks make some every minute. */
const remembered = 100;

const [notExecutableCode, notFoundCode] = [126, 127];
/** Of what ends with its container. */
const killedCode = 137;

export function openExecs(parts: ExecParts): Execs {
  const { containers, execs, paths } = parts;

  const get = (id: string): Exec => {
    const exec = execs.get(id);
    if (exec === undefined) throw errors.execNotFound({ exec: id });
    return exec;
  };
  const list = (containerId: string) =>
    [...execs.values()].filter(({ record }) => containerId === '' || record.containerId === containerId);

  const save = (exec: Exec, change: Partial<ExecRecord>, kind?: ExecEvent['kind']) =>
    saveExec(parts, exec, change, kind);

  const end = (exec: Exec, code: number) =>
    parts.course.ended(exec, code, () => parts.readyMonitors.spare(exec, (form) => startMonitor(parts, form)));

  const startAnew = async (exec: Exec) => {
    const { id, containerId, generation, spec } = exec.record;
    if (exec.place !== id) save(exec, { place: undefined });
    await parts.readyMonitors.vacated(id);
    return startMonitor(parts, { containerId, generation, tty: spec.tty, stdin: spec.openStdin, place: id });
  };

  const launch = async (
    exec: Exec,
    container: Container,
    client: Client | undefined,
    size: TerminalSize | undefined,
    ready: ReadyMonitor | undefined,
  ) => {
    const { spec } = exec.record;
    const process = furtherProcess(parts, container, spec);
    if (size !== undefined) exec.size = size;
    const told = exec.size ?? spec.size;
    const consoleSize = spec.tty && told ? { consoleSize: { height: told.rows, width: told.columns } } : {};
    const monitor = (await ready?.monitor.catch(() => undefined)) ?? (await startAnew(exec));
    const directory = paths.execOf(exec.place);
    await monitor.attachable;
    const hub = connectHub(attachSocketOf(directory));
    if (client) hub.join(client);
    monitor.run(Buffer.from(encodeSpec({ ...process, ...consoleSize })));
    const pid = await monitor.started;
    parts.course.begun(exec, { process: markOf(pid), monitor: markOf(monitor.pid) });
    // Asked for while it was starting, when nothing could be told it.
    if (spec.tty && exec.size && exec.size !== told) tellTerminalSize(directory, exec.size.rows, exec.size.columns);
    // Without the monitor the code is lost.
    void monitor.ended.then((code) => end(exec, code ?? 255));
    return { hub, pid };
  };

  return {
    get,
    list,

    create(id, containerId, spec, record) {
      const known = execs.get(id);
      if (known) {
        const isSame = known.record.containerId === containerId && isDeepStrictEqual(known.record.spec, spec);
        if (!isSame) throw errors.execExists({ exec: id });
        return 'already';
      }
      const container = servingContainer(containers, containerId);
      const { generation } = container.record;
      if (spec.args.length === 0) throw errors.badSpec({ field: 'spec.args', detail: 'No exec command specified' });
      // As in Docker a user that is not there is told now, before a client takes its connection over.
      if (spec.user !== '') furtherProcess(parts, container, spec);
      const exited = list(containerId).filter(({ record }) => record.state === 'exited');
      const forgotten = exited.sort((a, b) => a.record.madeMs - b.record.madeMs).slice(0, -remembered);
      const none = { process: undefined, monitor: undefined, exitCode: undefined };
      const { bootId } = parts;
      const exec = new Exec({
        id,
        containerId,
        generation,
        spec,
        state: 'created',
        bootId,
        madeMs: Date.now(),
        ...none,
      });
      record(() => {
        for (const old of forgotten) forgetExec(parts, old, killedCode);
        save(exec, {}, 'created');
      });
      execs.set(id, exec);
      parts.readyMonitors.prepare(exec, (form) => startMonitor(parts, form));
      return 'done';
    },

    start(id, client, size) {
      const exec = get(id);
      const { state, spec, containerId } = exec.record;
      if (state !== 'created') throw errors.execStarted({ exec: id, hasEnded: state === 'exited' });
      const container = servingContainer(containers, containerId);
      const ready = parts.readyMonitors.take(exec);
      save(exec, { state: 'starting', place: ready?.place }, 'started');
      const started = launch(exec, container, client, size, ready).catch((error: unknown) => {
        const failure = execFailure(error, container, spec);
        end(exec, codeOf(failure));
        throw failure;
      });
      return { exec, started };
    },

    signal(id, signal) {
      checkSignal(signal);
      const { process, state } = execs.get(id)?.record ?? {};
      return state === 'running' && process && signalMarked(process, signal) ? 'done' : 'absent';
    },

    resize(id, size) {
      const exec = get(id);
      exec.size = size;
      if (exec.record.state === 'running') tellTerminalSize(paths.execOf(exec.place), size.rows, size.columns);
    },
  };
}

/** A monitor for an exec, in a directory that is there from now on. UNKNOWN_RUNTIME, MONITOR_FAILED. */
async function startMonitor(
  parts: Pick<ExecParts, 'containers' | 'runtimes' | 'monitor' | 'monitorCgroup' | 'paths' | 'log'>,
  { containerId, generation, tty, stdin, place }: MonitorForm,
): Promise<ExecMonitor> {
  const directory = parts.paths.execOf(place);
  const { record } = servingContainer(parts.containers, containerId);
  if (record.generation !== generation) throw errors.notRunning({ id: containerId });
  const runtime = await parts.runtimes.get(record.terms.runtime);
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const monitor = parts.monitor.startExec({ containerId, execId: place, directory, runtime, tty, stdin });
  void parts.monitorCgroup.add(monitor.pid).then((problems) => {
    for (const problem of problems) parts.log.warn(problem);
  });
  return monitor;
}

function markOf(pid: number) {
  return { pid, startTime: startTimeOf(pid) ?? '' };
}

function codeOf(failure: unknown): number {
  const isMissing = isServiceError(failure, 'COMMAND_NOT_FOUND');
  return isMissing ? notFoundCode : notExecutableCode;
}

/** What a container's execs were, once it is removed or started again. */
export function forgetExecs(parts: ExecStore & Pick<ExecParts, 'paths' | 'readyMonitors'>, containerId: string): void {
  void parts.readyMonitors.drop(containerId);
  for (const exec of [...parts.execs.values()]) {
    if (exec.record.containerId !== containerId) continue;
    removeTree(parts.paths.execOf(exec.place));
    forgetExec(parts, exec, killedCode);
  }
}
