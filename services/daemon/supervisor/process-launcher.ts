import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { programVersion } from '../../../kit/flags.ts';
import { processAlive, signalProcess, startTimeOf } from '../../../kit/linux/process.ts';
import type { Logger } from '../../../kit/log.ts';
import { dial } from '../../../kit/rpc/dial.ts';
import { endpointOf } from '../../../kit/service.ts';
import { LogServiceDefinition } from '../../../proto/gen/longshore/contract/v1/log.ts';
import type { Config } from '../config.ts';
import type { Launched, Launcher } from './launcher.ts';
import { type ServiceLog, serviceLog } from './service-log.ts';
import { readServiceRecord, removeServiceRecord, type ServiceRecord, writeServiceRecord } from './service-record.ts';
import type { Started } from './services.ts';

/** An adopted service must answer within this, or it is replaced. */
const adoptTimeoutMs = 1_000;
/** What a service gets to end by itself before it is killed. */
const graceMs = 10_000;
/** How often an adopted service, which is nobody's child, is looked at. */
const lookEveryMs = 250;

/**
 * Services as processes, each the leader of its own session: they go on when the coordinator is killed, and the next one
 * adopts those of its own version and flags.
 */
export function processLauncher(config: Config, log: Logger): Launcher {
  const logs = new Map<string, ServiceLog>();

  function logOf(role: Started): ServiceLog {
    let one = logs.get(role);
    if (one === undefined) {
      one = serviceLog(config.execRoot, role, (lines) => process.stderr.write(lines));
      logs.set(role, one);
    }
    return one;
  }

  function launchedFrom(role: Started, record: ServiceRecord, adopted: boolean, ended: Promise<string>): Launched {
    return {
      pid: record.pid,
      adopted,
      ended: ended.then((how) => {
        // Before anybody says that it has ended.
        logs.get(role)?.showAll();
        return how;
      }),
      lastWords: () => logs.get(role)?.lastWords(),
      async stop() {
        await end(record);
        await ended;
        removeServiceRecord(config.execRoot, role);
        logs.get(role)?.close();
        logs.delete(role);
      },
    };
  }

  return {
    async adopt(role) {
      if (role === 'daemon') return undefined;
      const record = readServiceRecord(config.execRoot, role);
      if (record === undefined || !processAlive(record.pid, record.startTime)) return undefined;
      const wanted = argsOf(role, config);
      if (record.version === programVersion() && isSame(record.args, wanted)) {
        if (await answers(config, role, log)) {
          logOf(role);
          log.debug({ service: role, pid: record.pid }, `${role} adopted`);
          return launchedFrom(role, record, true, disappearance(record));
        }
      }
      log.info({ service: role, pid: record.pid }, `${role} of an earlier start does not fit: replacing it`);
      await end(record);
      return undefined;
    },

    async start(role) {
      if (role === 'daemon') throw new Error('the coordinator does not start itself');
      const args = argsOf(role, config);
      const output = logOf(role).open();
      try {
        const child = spawn(process.execPath, args, { detached: true, stdio: ['ignore', output, output], cwd: '/' });
        const ended = once(child, 'exit').then(
          ([code, signal]) => (signal === null ? `exit code ${code}` : `killed by ${signal}`),
          (error: Error) => error.message,
        );
        child.unref();
        const pid = child.pid;
        if (pid === undefined) throw new Error(await ended);
        const record = { pid, startTime: startTimeOf(pid) ?? '', version: programVersion(), args };
        writeServiceRecord(config.execRoot, role, record);
        return launchedFrom(role, record, false, ended);
      } finally {
        closeSync(output);
      }
    },
  };
}

/** The command line after node's own name. It shows role and data root to who looks at the process list. */
function argsOf(role: Started, config: Config): string[] {
  const args = [
    ...process.execArgv,
    programOf(role),
    ...['--data-root', config.dataRoot, '--exec-root', config.execRoot],
    ...['--log-level', config.logLevel, '--log-format', config.logFormat],
  ];
  if (config.group !== undefined) args.push('--group', config.group);
  for (const [peer, endpoint] of Object.entries(config.endpoints)) {
    if (peer !== role) args.push(`--${peer}-endpoint`, endpoint);
  }
  if (role === 'gateway') for (const host of config.hosts) args.push('--host', host);
  return args;
}

/** Beside the coordinator's own program: its bundle's folder, or the sources'. */
function programOf(role: Started): string {
  const here = fileURLToPath(import.meta.url);
  if (here.endsWith('.cjs')) return here.replace(/[^/]+$/, `${role}.cjs`);
  const root = here.replace(/\/services\/daemon\/supervisor\/[^/]+$/, '');
  return role === 'gateway' ? `${root}/gateway/main.ts` : `${root}/services/${role}/main.ts`;
}

/** But for the log level, which it is told. */
function isSame(args: readonly string[], wanted: readonly string[]): boolean {
  const others = (all: readonly string[]) => all.filter((_, at) => all[at - 1] !== '--log-level').join('\0');
  return others(args) === others(wanted);
}

/** Whether it answers; it logs at the present level from now on. */
async function answers(config: Config, role: Started, log: Logger): Promise<boolean> {
  const endpoint = endpointOf(config, role);
  if (endpoint.startsWith('unix://') && !existsSync(endpoint.slice('unix://'.length))) return false;
  const channel = dial(endpoint, { role: 'daemon', log });
  try {
    if (!(await channel.ready(adoptTimeoutMs))) return false;
    const level = { level: config.logLevel };
    await channel.client(LogServiceDefinition).setLevel(level, { deadlineMs: adoptTimeoutMs });
    return true;
  } catch {
    return false;
  } finally {
    channel.close();
  }
}

async function disappearance(record: ServiceRecord): Promise<string> {
  while (processAlive(record.pid, record.startTime)) await delay(lookEveryMs, undefined, { ref: false });
  return 'it disappeared';
}

async function end(record: ServiceRecord): Promise<void> {
  const { pid, startTime } = record;
  if (!signalProcess(pid, startTime, 'SIGTERM')) return;
  for (const started = Date.now(); Date.now() - started < graceMs; ) {
    if (!processAlive(pid, startTime)) return;
    await delay(5);
  }
  signalProcess(pid, startTime, 'SIGKILL');
  while (processAlive(pid, startTime)) await delay(5);
}
