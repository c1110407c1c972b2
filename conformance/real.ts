import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

/** One of this program's own services, as a process on roots of its own. */
export interface RealService {
  endpoint: string;
  dataRoot: string;
  execRoot: string;
  /** Killed and started anew. */
  restart(): Promise<void>;
  /** Ended, with all that it made on disk. */
  stop(): Promise<void>;
}

export type RealRole = 'graph' | 'graphdriver' | 'execdriver' | 'volume' | 'network';

/** `through`: a command that runs the service, as `nsenter`. */
export async function startReal(role: RealRole, through: readonly string[] = []): Promise<RealService> {
  const root = await mkdtemp(join(tmpdir(), `conformance-${role}-`));
  const [dataRoot, execRoot] = [join(root, 'data'), join(root, 'run')];
  const socket = join(execRoot, `${role}.sock`);
  const main = fileURLToPath(new URL(`../services/${role}/main.ts`, import.meta.url));
  const line = [
    ...through,
    process.execPath,
    '--disable-warning=ExperimentalWarning',
    main,
    ...['--data-root', dataRoot, '--exec-root', execRoot, '--log-level', process.env.LONGSHORE_LOG ?? 'warn'],
  ];
  let child = await start();

  async function start(): Promise<ChildProcess> {
    const [command = process.execPath, ...args] = line;
    const started = spawn(command, args, { stdio: ['ignore', 'ignore', 'inherit'] });
    const deadline = Date.now() + 20_000;
    while (!(await answers(socket))) {
      if (started.exitCode !== null) throw new Error(`${role} ended with ${started.exitCode} at its start`);
      if (Date.now() > deadline) throw new Error(`${role} does not answer at ${socket}`);
      await delay(20);
    }
    return started;
  }

  async function end(signal: NodeJS.Signals): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill(signal);
    await once(child, 'exit');
  }

  return {
    endpoint: `unix://${socket}`,
    dataRoot,
    execRoot,
    async restart() {
      await end('SIGKILL');
      child = await start();
    },
    async stop() {
      await end('SIGTERM');
      await rm(root, { recursive: true, force: true });
    },
  };
}

async function answers(socket: string): Promise<boolean> {
  const connection = createConnection(socket);
  try {
    await once(connection, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    connection.destroy();
  }
}
