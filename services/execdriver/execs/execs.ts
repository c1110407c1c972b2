import { setImmediate as turn } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { isServiceError } from '../../../kit/errors.ts';
import { expectCgroupJoin } from '../../../kit/linux/cgroup-join.ts';
import type { Logger } from '../../../kit/log.ts';
import type { ExecSpec } from '../../../proto/gen/longshore/execdriver/v1/exec.ts';
import type { Hierarchies } from '../cgroups/hierarchies.ts';
import type { MonitorCgroup } from '../cgroups/monitors.ts';
import type { Container } from '../containers/container.ts';
import type { Outcome } from '../containers/exec-driver.ts';
import { checkSignal, signalMarked } from '../containers/signal.ts';
import { errors } from '../errors.ts';
import type { Paths } from '../paths.ts';
import { removeTree } from '../removal.ts';
import { type MonitorProgram, tellTerminalSize } from '../runtime/conmon.ts';
import type { Runtimes } from '../runtime/runtimes.ts';
import { encodeSpec } from '../spec/container.ts';
import type { EngineFacts } from '../spec/facts.ts';
import type { Client } from '../stdio/client.ts';
import type { Hub } from '../stdio/hub.ts';
import { markOf, startAttachedMonitor, startSpareMonitor } from './attached-monitor.ts';
import type { ExecCourse } from './course.ts';
import type { ExecEvent } from './events.ts';
import { Exec } from './exec.ts';
import { execFailure, furtherProcess, servingContainer } from './further-process.ts';
import type { ReadyMonitor, ReadyMonitors } from './ready-monitors.ts';
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
  hierarchies: Hierarchies;
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

/** An answer's status leaves a turn of the event loop or two after its message, and callers that are not ours wait for both. */
const answerTurns = 4;

async function answered(): Promise<void> {
  for (let turns = 0; turns < answerTurns; turns += 1) await turn();
}

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
    parts.course.ended(exec, code, () => parts.readyMonitors.spare(exec, (form) => startSpareMonitor(parts, form)));

  const startAnew = async (exec: Exec) => {
    const { id, containerId, generation, spec } = exec.record;
    if (exec.place !== id) save(exec, { place: undefined });
    await parts.readyMonitors.vacated(id);
    return startAttachedMonitor(parts, { containerId, generation, tty: spec.tty, stdin: spec.openStdin, place: id });
  };

  const launch = async (
    exec: Exec,
    container: Container,
    client: Client | undefined,
    size: TerminalSize | undefined,
    ready: ReadyMonitor | undefined,
  ) => {
    const { spec } = exec.record;
    const process = exec.process ?? furtherProcess(parts, container, spec);
    exec.process = undefined;
    if (size !== undefined) exec.size = size;
    const told = exec.size ?? spec.size;
    const consoleSize = spec.tty && told ? { consoleSize: { height: told.rows, width: told.columns } } : {};
    const monitor = (await ready?.monitor.catch(() => undefined)) ?? (await startAnew(exec));
    const hub = await monitor.hub;
    if (client) hub.join(client);
    monitor.run(Buffer.from(encodeSpec({ ...process, ...consoleSize })));
    const pid = await monitor.started;
    parts.course.begun(exec, { process: markOf(pid), monitor: monitor.mark });
    // Asked for while it was starting, when nothing could be told it.
    if (spec.tty && exec.size && exec.size !== told) {
      tellTerminalSize(paths.execOf(exec.place), exec.size.rows, exec.size.columns);
    }
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
      const process = spec.user === '' ? undefined : furtherProcess(parts, container, spec);
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
      exec.process = process;
      execs.set(id, exec);
      void answered().then(() => expectStart(parts, exec));
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

/** While its client hears that it is made. What speaks against it is told at the start. */
function expectStart(parts: ExecParts, exec: Exec): void {
  const { id, state, containerId, spec } = exec.record;
  // Started already, or forgotten with its container.
  if (state !== 'created' || parts.execs.get(id) !== exec) return;
  parts.readyMonitors.prepare(exec, (form) => {
    void expectCgroupJoin();
    return startAttachedMonitor(parts, form);
  });
  try {
    exec.process ??= furtherProcess(parts, servingContainer(parts.containers, containerId), spec);
  } catch {
    // As said.
  }
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
