import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { randomBytes, randomInt } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type MachineState, machineState, processes } from './machine.ts';

export const longshore = resolve(import.meta.dirname, '..', 'bin', 'longshore');

/** `--embedded` for the same tests on seven in one process. */
const furtherFlags = process.env.LONGSHORE_TEST_FLAGS?.split(' ') ?? [];

/** To skip what kills one of the seven, or looks at it. */
export const inOneProcess: string | false = furtherFlags.includes('--embedded') && 'the seven are one process here';

export interface Answer {
  code: number;
  stdout: string;
  stderr: string;
}

/** A really booted engine on roots, a socket, a bridge and a subnet of its own. */
export interface Engine {
  readonly dataRoot: string;
  readonly execRoot: string;
  readonly bridge: string;
  readonly subnet: string;
  /** `unix://…`, for DOCKER_HOST. */
  readonly host: string;
  /** All that it has printed. */
  readonly output: () => string;
  readonly launcher: ChildProcess;
  /** The unmodified docker CLI, pointed at it. */
  docker(...args: string[]): Promise<Answer>;
  /** The same with bytes on its stdin; must succeed. */
  dockerWith(input: Buffer | undefined, ...args: string[]): Promise<string>;
  /** The pid of a role's process. */
  pidOf(role: string): number;
  /** What of it is left on the machine. */
  state(): MachineState;
  /** SIGTERM, and waits for the end. */
  stop(): Promise<number>;
  /** Boots again on the same roots. */
  start(): Promise<void>;
  /** Ends it, with all containers, and removes its roots. */
  dispose(): Promise<void>;
}

export interface EngineOptions {
  flags?: string[];
  environment?: Record<string, string>;
  /** Asked at each start: a command that the engine is started by. */
  within?: () => string[];
}

export async function bootEngine(options: EngineOptions = {}): Promise<Engine> {
  const engine = await placeEngine(options);
  await engine.start();
  return engine;
}

/** An engine that is not started yet. */
export async function placeEngine(options: EngineOptions = {}): Promise<Engine> {
  const home = mkdtempSync(join(tmpdir(), 'ls-'));
  const dataRoot = join(home, 'data');
  const execRoot = join(home, 'run');
  const bridge = `ls${randomBytes(4).toString('hex')}`;
  const subnet = `10.${randomInt(100, 250)}.${randomInt(0, 256)}`;
  const host = `unix://${execRoot}/docker.sock`;
  const flags = [
    ...['--data-root', dataRoot, '--exec-root', execRoot, '--bridge-name', bridge, '--bip', `${subnet}.1/24`],
    ...(options.flags ?? []),
    ...furtherFlags,
  ];
  let output = '';
  let launcher: ChildProcess | undefined;
  let ended: Promise<number> | undefined;

  const engine: Engine = {
    dataRoot,
    execRoot,
    bridge,
    subnet,
    host,
    output: () => output,
    get launcher() {
      if (launcher === undefined) throw new Error('the engine is not started');
      return launcher;
    },
    docker: (...args) => docker(host, undefined, args),
    async dockerWith(input, ...args) {
      const { code, stdout, stderr } = await docker(host, input, args);
      if (code !== 0) throw new Error(`docker ${args.join(' ')}: ${code}\n${stderr}\n${output.slice(-3000)}`);
      return stdout;
    },
    pidOf(role) {
      const found = processes().filter(
        (line) => line.includes(`/${role}.cjs`) && line.includes(dataRoot) && !line.includes('bin/longshore'),
      );
      const pid = Number(found[0]?.split(' ')[0]);
      if (!pid) throw new Error(`${role} does not run:\n${output.slice(-3000)}`);
      return pid;
    },
    state: () => machineState([home, bridge]),
    async start() {
      const [program = longshore, ...args] = [...(options.within?.() ?? []), longshore, 'daemon', ...flags];
      const child = spawn(program, args, {
        stdio: ['ignore', 'pipe', 'pipe'],
        env: { ...process.env, ...options.environment },
      });
      launcher = child;
      output = '';
      ended = once(child, 'exit').then(([code, signal]) => code ?? (signal === null ? 1 : 128));
      for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk) => (output += chunk));
      let isOver = false;
      const over = ended.finally(() => {
        isOver = true;
      });
      const up = until(() => isOver || output.includes('Longshore is up'), 60_000);
      const code = await Promise.race([up, over]);
      if (typeof code === 'number') {
        launcher = undefined;
        throw new Error(`the engine ended with ${code}:\n${output}`);
      }
    },
    async stop() {
      if (launcher === undefined || ended === undefined) return 0;
      launcher.kill('SIGTERM');
      output = '';
      const code = await ended;
      launcher = undefined;
      return code;
    },
    async dispose() {
      if (launcher !== undefined) {
        const { stdout } = await engine.docker('ps', '-aq');
        const ids = stdout.split('\n').filter(Boolean);
        if (ids.length > 0) await engine.docker('rm', '-f', ...ids);
        await engine.stop();
      }
      rmSync(home, { recursive: true, force: true });
    },
  };
  return engine;
}

function docker(host: string, input: Buffer | undefined, args: string[]): Promise<Answer> {
  return new Promise((resolve) => {
    const child = execFile(
      'docker',
      args,
      { env: { ...process.env, DOCKER_HOST: host }, maxBuffer: 1 << 28, encoding: 'utf8', timeout: 60_000 },
      (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === 'number' ? error.code : 1;
        resolve({ code, stdout, stderr: error?.killed ? `${stderr}\n(timed out)` : stderr });
      },
    );
    child.stdin?.on('error', () => {});
    child.stdin?.end(input);
  });
}

/** Looks until it is so. */
export async function until(isSo: () => boolean | Promise<boolean>, timeoutMs: number): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (!(await isSo())) {
    if (Date.now() > deadline) throw new Error(`not so after ${timeoutMs} ms: ${isSo}`);
    await delay(10);
  }
}
