import { closeSync, constants, existsSync, openSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf } from '../../../kit/errors.ts';
import { closeDescriptor } from '../../../kit/linux/libc.ts';
import type { Child, Processes } from '../../../kit/linux/spawn.ts';
import { pipe, readable, writable } from '../../../kit/linux/stream.ts';
import { errors } from '../errors.ts';
import { findProgram, plainEnvironment, runProgram } from './programs.ts';
import type { Runtime } from './runtime.ts';

/** Files that the monitor and we share in a bundle's directory. */
export const attachSocketOf = (bundle: string) => join(bundle, 'attach');
const controlOf = (bundle: string) => join(bundle, 'ctl');
const complaintsOf = (bundle: string) => join(bundle, 'monitor.err');
const runtimeLogOf = (bundle: string) => join(bundle, 'runtime.log');

export interface MonitorRequest {
  id: string;
  containerName: string;
  bundle: string;
  runtime: Runtime;
  exitDirectory: string;
  /** Undefined: nothing is logged. */
  logPath: string | undefined;
  tty: boolean;
  stdin: boolean;
  /** The container's input ends when one of our connections ends its own. */
  closesStdin: boolean;
}

export interface Monitor {
  pid: number;
  /** Settles when the monitor has ended. */
  exited: Child['exited'];
  /** The container's init, created and waiting to be started. RUNTIME_FAILED with the runtime's words when it could not be. */
  created: Promise<number>;
}

/** conmon: holds a container's stdio, log and exit code in a small process of its own, which outlives all of ours. */
export interface MonitorProgram {
  readonly path: string;
  readonly version: string;
  start(request: MonitorRequest): Monitor;
  startExec(request: ExecMonitorRequest): ExecMonitor;
}

/** Throws MONITOR_MISSING. */
export async function openMonitorProgram(processes: Processes, name = 'conmon'): Promise<MonitorProgram> {
  const path = findProgram(name);
  if (path === undefined) throw errors.monitorMissing({ monitor: name });
  const { code, text } = await runProgram(processes, path, ['--version']);
  if (code !== 0) throw errors.monitorMissing({ monitor: name, detail: text.trim() });
  const version = /^conmon version (\S+)/.exec(text)?.[1] ?? 'unknown';
  return {
    path,
    version: `conmon ${version}`,
    start: (request) => startMonitor(processes, path, request),
    startExec: (request) => startExecMonitor(processes, path, request),
  };
}

function startMonitor(processes: Processes, path: string, request: MonitorRequest): Monitor {
  const { bundle } = request;
  const [read, write] = pipe();
  const complaints = openSync(complaintsOf(bundle), constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC, 0o600);
  try {
    const child = processes.spawn({
      file: path,
      args: argumentsOf(request),
      env: { ...monitorEnvironment(), _OCI_SYNCPIPE: '3' },
      cwd: bundle,
      fds: [undefined, undefined, complaints, write],
    });
    return { pid: child.pid, exited: child.exited, created: createdInit(read, bundle) };
  } catch (error) {
    closeDescriptor(read);
    throw errors.monitorFailed({ detail: messageOf(error) }, { cause: error });
  } finally {
    closeDescriptor(write);
    closeSync(complaints);
  }
}

export interface ExecMonitorRequest {
  containerId: string;
  execId: string;
  /** The exec's own directory. The exit code is written there, to a file named after the container. */
  directory: string;
  runtime: Pick<Runtime, 'path' | 'globalArguments'>;
  tty: boolean;
  stdin: boolean;
}

export interface ExecMonitor {
  pid: number;
  /** Settles when one can attach: the process is started by `run`, so that its first byte is seen. */
  attachable: Promise<void>;
  /** Gives the runtime, which waits for it, an encoded OCI process. */
  run(process: Buffer): void;
  /** Instead of `run`: the runtime finds nothing to run, and the monitor ends. */
  abandon(): void;
  /** Settles when the monitor has ended. */
  exited: Child['exited'];
  /** The process. RUNTIME_FAILED with the runtime's words when it could not be started. */
  started: Promise<number>;
  /** Its exit code; undefined when the monitor was lost. Settles after all output has been delivered. */
  ended: Promise<number | undefined>;
}

function startExecMonitor(processes: Processes, path: string, request: ExecMonitorRequest): ExecMonitor {
  const { directory } = request;
  const [[syncRead, syncWrite], [attachRead, attachWrite], [processRead, processWrite]] = [pipe(), pipe(), pipe()];
  const complaints = openSync(
    complaintsOf(directory),
    constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC,
    0o600,
  );
  const theirs = [syncWrite, attachWrite];
  try {
    const child = processes.spawn({
      file: path,
      // A pipe, which is at its end when we die: whatever has begun by then finds no process to run.
      args: execArgumentsOf(request, `/proc/${process.pid}/fd/${processRead}`),
      env: { ...monitorEnvironment(), _OCI_SYNCPIPE: '3', _OCI_ATTACHPIPE: '4' },
      cwd: directory,
      fds: [undefined, undefined, complaints, ...theirs],
    });
    const wanted = writable(processWrite);
    wanted.on('error', () => {});
    const lines = syncLines(syncRead);
    const started = firstOf(lines, directory);
    // Until then the runtime may have yet to open it.
    const letGo = () => closeDescriptor(processRead);
    started.then(letGo, letGo);
    const ended = started.then(async () => (await lines.next()).value?.data);
    const attachable = attachableOf(attachRead, directory);
    // A failed start is told by `started`, and what nobody waits for is nobody's failure.
    ended.catch(() => {});
    attachable.catch(() => {});
    return {
      pid: child.pid,
      attachable,
      run: (process) => void wanted.end(process),
      abandon: () => void wanted.end(),
      exited: child.exited,
      started,
      ended,
    };
  } catch (error) {
    for (const descriptor of [syncRead, attachRead, processRead, processWrite]) closeDescriptor(descriptor);
    throw errors.monitorFailed({ detail: messageOf(error) }, { cause: error });
  } finally {
    for (const descriptor of theirs) closeDescriptor(descriptor);
    closeSync(complaints);
  }
}

/** A terminal's socket, which stays when a monitor ends before it has its terminal, is made in its working directory. */
const monitorEnvironment = () => ({ ...plainEnvironment(), TMPDIR: '.' });

function execArgumentsOf(request: ExecMonitorRequest, processFile: string): string[] {
  const { containerId, execId, directory, runtime } = request;
  // What crun has to say once it has the terminal for its standard error would be lost there.
  const words = request.tty ? ['--log', runtimeLogOf(directory)] : [];
  const globalArguments = [...runtime.globalArguments, ...words];
  return [
    ...['--sync', '--api-version', '--cid', containerId, '--cuuid', execId, '--name', execId],
    ...['--runtime', runtime.path, ...globalArguments.flatMap((argument) => ['--runtime-arg', argument])],
    ...['--bundle', directory, '--container-pidfile', join(directory, 'pid'), '--exit-dir', directory, '--full-attach'],
    ...['--exec', '--exec-attach', '--exec-process-spec', processFile],
    ...['--log-level', 'error', '--no-sync-log', '--log-path', 'none'],
    ...(request.tty ? ['--terminal'] : []),
    ...(request.stdin ? ['--stdin'] : []),
  ];
}

async function attachableOf(descriptor: number, directory: string): Promise<void> {
  for await (const _ of syncLines(descriptor)) return;
  throw errors.monitorFailed({ detail: complaintOf(directory) });
}

async function firstOf(lines: ReturnType<typeof syncLines>, directory: string): Promise<number> {
  const first = await lines.next();
  if (first.done) throw errors.runtimeFailed({ detail: complaintOf(directory) });
  const { data, message } = first.value;
  if (data > 0) return data;
  throw errors.runtimeFailed({ detail: message ?? complaintOf(directory) });
}

function argumentsOf(request: MonitorRequest): string[] {
  const { id, bundle, runtime, logPath } = request;
  return [
    // Without a second fork it stays our child, whose end we hear of. When we end it goes on all the same.
    '--sync',
    ...['--api-version', '--cid', id, '--cuuid', id, '--name', request.containerName || id],
    ...['--runtime', runtime.path, ...runtime.globalArguments.flatMap((argument) => ['--runtime-arg', argument])],
    ...['--bundle', bundle, '--container-pidfile', join(bundle, 'pid'), '--persist-dir', bundle],
    ...['--exit-dir', request.exitDirectory, '--full-attach', '--no-new-keyring'],
    ...['--log-level', 'error', '--no-sync-log', '--log-path', logPath === undefined ? 'none' : `k8s-file:${logPath}`],
    ...(request.tty ? ['--terminal'] : []),
    ...(request.stdin ? ['--stdin'] : []),
    ...(request.closesStdin ? [] : ['--leave-stdin-open']),
  ];
}

/** Reads the sync pipe: lines of JSON, `{"data": NUMBER}`, with a `message` where the number is no good. */
async function* syncLines(descriptor: number): AsyncGenerator<{ data: number; message: string | undefined }> {
  const socket = readable(descriptor);
  let text = '';
  try {
    for await (const chunk of socket) {
      text += String(chunk);
      for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n')) {
        const line = JSON.parse(text.slice(0, end)) as { data?: number; message?: string };
        text = text.slice(end + 1);
        yield { data: line.data ?? -1, message: line.message };
      }
    }
  } finally {
    socket.destroy();
  }
}

async function createdInit(descriptor: number, bundle: string): Promise<number> {
  for await (const { data, message } of syncLines(descriptor)) {
    if (data > 0) return data;
    throw errors.runtimeFailed({ detail: message ?? complaintOf(bundle) });
  }
  throw errors.monitorFailed({ detail: complaintOf(bundle) });
}

/** What the monitor or the runtime has written of what went wrong. */
function complaintOf(bundle: string): string {
  for (const path of [complaintsOf(bundle), runtimeLogOf(bundle)]) {
    const words = existsSync(path) ? readFileSync(path, 'utf8').trim() : '';
    if (words !== '') return words;
  }
  return 'it ended without a word';
}

/** Tells a monitor the size of its container's terminal. False when there is no monitor. */
export function tellTerminalSize(bundle: string, rows: number, columns: number): boolean {
  return tell(bundle, `1 ${rows} ${columns}\n`);
}

/** Makes a monitor open its log's path anew, over whatever is there. False when there is no monitor. */
export function tellToReopenLog(bundle: string): boolean {
  return tell(bundle, '2 0 0\n');
}

function tell(bundle: string, message: string): boolean {
  let descriptor: number;
  try {
    descriptor = openSync(controlOf(bundle), constants.O_WRONLY | constants.O_NONBLOCK);
  } catch {
    return false;
  }
  try {
    writeSync(descriptor, message);
    return true;
  } finally {
    closeSync(descriptor);
  }
}
