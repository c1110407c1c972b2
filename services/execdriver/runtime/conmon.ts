import { closeSync, constants, openSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf } from '../../../kit/errors.ts';
import { closeDescriptor } from '../../../kit/linux/libc.ts';
import type { Child, Processes } from '../../../kit/linux/spawn.ts';
import { pipe, readable } from '../../../kit/linux/stream.ts';
import { errors } from '../errors.ts';
import { findProgram, plainEnvironment, runProgram } from './programs.ts';
import type { Runtime } from './runtime.ts';

/** Files that the monitor and we share in a bundle's directory. */
export const attachSocketOf = (bundle: string) => join(bundle, 'attach');
const controlOf = (bundle: string) => join(bundle, 'ctl');
const complaintsOf = (bundle: string) => join(bundle, 'monitor.err');

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
}

/** Throws MONITOR_MISSING. */
export async function openMonitorProgram(processes: Processes, name = 'conmon'): Promise<MonitorProgram> {
  const path = findProgram(name);
  if (path === undefined) throw errors.monitorMissing({ monitor: name });
  const { code, text } = await runProgram(processes, path, ['--version']);
  if (code !== 0) throw errors.monitorMissing({ monitor: name, detail: text.trim() });
  const version = /^conmon version (\S+)/.exec(text)?.[1] ?? 'unknown';
  return { path, version: `conmon ${version}`, start: (request) => startMonitor(processes, path, request) };
}

function startMonitor(processes: Processes, path: string, request: MonitorRequest): Monitor {
  const { bundle } = request;
  const [read, write] = pipe();
  const complaints = openSync(complaintsOf(bundle), constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC, 0o600);
  try {
    const child = processes.spawn({
      file: path,
      args: argumentsOf(request),
      env: { ...plainEnvironment(), _OCI_SYNCPIPE: '3' },
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

/** Reads the sync pipe: one line of JSON, `{"data": PID}` or `{"data": -1, "message": "…"}`. */
async function createdInit(descriptor: number, bundle: string): Promise<number> {
  const socket = readable(descriptor);
  let text = '';
  try {
    for await (const chunk of socket) {
      text += String(chunk);
      if (text.includes('\n')) break;
    }
  } finally {
    socket.destroy();
  }
  if (text === '') throw errors.monitorFailed({ detail: complaintOf(bundle) });
  const line: unknown = JSON.parse(text);
  const { data, message } = (typeof line === 'object' && line !== null ? line : {}) as {
    data?: unknown;
    message?: unknown;
  };
  if (typeof data === 'number' && data > 0) return data;
  throw errors.runtimeFailed({ detail: typeof message === 'string' ? message : complaintOf(bundle) });
}

function complaintOf(bundle: string): string {
  try {
    return readFileSync(complaintsOf(bundle), 'utf8').trim() || 'it ended without a word';
  } catch {
    return 'it ended without a word';
  }
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
