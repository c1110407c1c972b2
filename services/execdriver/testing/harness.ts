import { randomBytes } from 'node:crypto';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLogger, silentLogger } from '../../../kit/log.ts';
import { dial } from '../../../kit/rpc/dial.ts';
import { type Running, serviceConfig } from '../../../kit/service.ts';
import { ControlServiceDefinition, InitRequest } from '../../../proto/gen/longshore/execdriver/v1/control.ts';
import {
  type ExecOpen,
  ExecServiceDefinition,
  ExecSpec,
  type ExecStartRequest,
} from '../../../proto/gen/longshore/execdriver/v1/exec.ts';
import { HostServiceDefinition } from '../../../proto/gen/longshore/execdriver/v1/host.ts';
import { ProcessServiceDefinition } from '../../../proto/gen/longshore/execdriver/v1/process.ts';
import { ContainerSpec } from '../../../proto/gen/longshore/execdriver/v1/spec.ts';
import { type AttachRequest, StreamServiceDefinition } from '../../../proto/gen/longshore/execdriver/v1/stream.ts';
import { UsageServiceDefinition } from '../../../proto/gen/longshore/execdriver/v1/usage.ts';
import { start } from '../service.ts';
import { serviceElsewhere } from './elsewhere.ts';

/** Kernel tests need root and the programs that run containers. */
export const skip = process.getuid?.() === 0 ? false : 'needs root';

export const newId = () => randomBytes(32).toString('hex');

const busyboxCommands =
  'sh ash mknod cut true false cat echo sleep head tail yes seq md5sum sha256sum id env pwd ls mount unshare stty printf mkdir test kill ps hostname touch rm dd nc tr wc readlink od grep sed awk ulimit chmod ip'.split(
    ' ',
  );

/** A root file system of one static busybox. */
export function makeRoot(directory: string): string {
  const root = join(directory, 'rootfs');
  for (const path of ['bin', 'etc', 'proc', 'sys', 'dev', 'tmp', 'root', 'home/app']) {
    mkdirSync(join(root, path), { recursive: true });
  }
  copyFileSync('/bin/busybox', join(root, 'bin/busybox'));
  for (const command of busyboxCommands) symlinkSync('busybox', join(root, 'bin', command));
  writeFileSync(join(root, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000::/home/app:/bin/sh\n');
  writeFileSync(join(root, 'etc/group'), 'root:x:0:\napp:x:1000:\nextra:x:2000:app\n');
  writeFileSync(join(root, 'etc/notexec'), '#!/bin/sh\n', { mode: 0o644 });
  writeFileSync(join(root, 'etc/fmt'), 'not a program', { mode: 0o755 });
  return root;
}

export type SpecParts = Parameters<typeof ContainerSpec.fromPartial>[0];

export function specOf(root: string, args: string[], more: SpecParts = {}) {
  return ContainerSpec.fromPartial({ rootPath: root, args, hostname: 'box', ...more });
}

export interface Bench extends AsyncDisposable {
  directory: string;
  root: string;
  engineId: string;
  endpoint: string;
  clients: Clients;
  init(epoch?: number, more?: Parameters<typeof InitRequest.fromPartial>[0]): ReturnType<Clients['control']['init']>;
  /** Starts a container; more is part of its spec. */
  run(args: string[], more?: SpecParts, id?: string, generation?: number): Promise<string>;
  /** Waits for the end. */
  wait(id: string, generation?: number): ReturnType<typeof waitFor>;
  /** Attaches, collects everything and the exit code. */
  attach(id: string, input?: Partial<AttachInput>): Promise<Collected>;
  /** Makes an exec, starts it and collects everything. */
  exec(containerId: string, args: string[], more?: ExecWish): Promise<Collected & { id: string }>;
  logs(id: string, more?: { tail?: number; follow?: boolean; stdout?: boolean; stderr?: boolean }): Promise<string>;
  restart(): Promise<void>;
  /** With `serviceElsewhere`: the service as a process of its own. */
  startElsewhere(): Promise<void>;
  killElsewhere(): Promise<void>;
}

export interface AttachInput {
  stdin: AsyncIterable<AttachRequest['frame']>;
  logs: boolean;
  follow: boolean;
  /** Which to join, also when it has ended meanwhile; else the running one, or the next. */
  generation: number;
  ready: () => void;
}

export interface ExecWish {
  id?: string;
  spec?: Parameters<typeof ExecSpec.fromPartial>[0];
  open?: Partial<ExecOpen>;
  stdin?: AsyncIterable<ExecStartRequest['frame']>;
  signal?: AbortSignal;
}

export interface Collected {
  stdout: Buffer;
  stderr: Buffer;
  code: number | undefined;
}

type Clients = ReturnType<typeof connect>;

function connect(endpoint: string) {
  const channel = dial(endpoint, { role: 'daemon', log: silentLogger() });
  return {
    channel,
    control: channel.client(ControlServiceDefinition),
    host: channel.client(HostServiceDefinition),
    process: channel.client(ProcessServiceDefinition),
    exec: channel.client(ExecServiceDefinition),
    usage: channel.client(UsageServiceDefinition),
    stream: channel.client(StreamServiceDefinition),
  };
}

async function waitFor(clients: Clients, id: string, generation: number) {
  for await (const { exit } of clients.process.waitContainer({ id, generation })) if (exit) return exit;
  throw new Error('the wait ended without an exit');
}

/** A service of its own on roots of its own, with a client. Everything is taken away again. */
export async function openBench(options: { serviceElsewhere?: boolean } = {}): Promise<Bench> {
  const directory = mkdtempSync(join(tmpdir(), 'longshore-exec-'));
  const root = makeRoot(directory);
  const [dataRoot, execRoot] = [join(directory, 'data'), join(directory, 'run')];
  mkdirSync(execRoot, { recursive: true });
  const engineId = randomBytes(16).toString('hex');
  const log = process.env.TEST_LOG ? createLogger({ role: 'execdriver', level: 'debug' }) : silentLogger();
  const config = serviceConfig({ role: 'execdriver', dataRoot, execRoot, log });
  let running: Running | undefined = options.serviceElsewhere ? undefined : await start(config);
  const elsewhere = serviceElsewhere(['--data-root', dataRoot, '--exec-root', execRoot]);
  const endpoint = config.listen[0] ?? '';
  const clients = connect(endpoint);

  const bench: Bench = {
    directory,
    root,
    engineId,
    endpoint,
    clients,
    init: (epoch = 1, more = {}) =>
      clients.control.init(InitRequest.fromPartial({ ...more, fence: { engineId, epoch, bootId: '' } })),
    async run(args, more = {}, id = newId(), generation = 1) {
      await clients.process.startContainer({ id, generation, spec: specOf(root, args, more) });
      return id;
    },
    wait: (id, generation = 0) => waitFor(clients, id, generation),
    attach: (id, input = {}) => collect(clients, id, input),
    exec: (containerId, args, more = {}) => runExec(clients, containerId, args, more),
    async logs(id, more = {}) {
      const parts: Uint8Array[] = [];
      const request = { id, stdout: true, stderr: true, tail: -1, batched: true, ...more };
      for await (const { line, more: others } of clients.stream.readLogs(request)) {
        parts.push(line, ...others.map((other) => other.line));
      }
      return Buffer.concat(parts).toString();
    },
    async startElsewhere() {
      elsewhere.start();
      if (!(await clients.channel.ready(10_000))) throw new Error('the service does not come up');
    },
    killElsewhere: () => elsewhere.kill(),
    async restart() {
      await running?.stop();
      running = await start(config);
    },
    async [Symbol.asyncDispose]() {
      try {
        if (options.serviceElsewhere && !elsewhere.isRunning) await bench.startElsewhere();
        await clients.control.drain({ keep: [] });
      } finally {
        clients.channel.close();
        await running?.stop();
        await elsewhere.kill();
        rmSync(directory, { recursive: true, force: true });
      }
    },
  };
  return bench;
}

async function collect(clients: Clients, id: string, input: Partial<AttachInput>): Promise<Collected> {
  const { stdin, logs = false, follow = true, generation = 0, ready } = input;
  async function* requests() {
    const value = { id, stdin: stdin !== undefined, stdout: true, stderr: true, logs, follow, generation };
    yield { frame: { $case: 'open' as const, value } };
    if (stdin) for await (const frame of stdin) yield { frame };
  }
  const parts: { stdout: Uint8Array[]; stderr: Uint8Array[] } = { stdout: [], stderr: [] };
  let code: number | undefined;
  for await (const { frame } of clients.stream.attach(requests())) {
    if (frame?.$case === 'ready') ready?.();
    else if (frame?.$case === 'exit') code = frame.value.code;
    else if (frame) parts[frame.$case].push(frame.value);
  }
  return { stdout: Buffer.concat(parts.stdout), stderr: Buffer.concat(parts.stderr), code };
}

async function runExec(clients: Clients, containerId: string, args: string[], wish: ExecWish) {
  const { id = newId(), stdin } = wish;
  const spec = ExecSpec.fromPartial({ args, openStdin: stdin !== undefined, ...wish.spec });
  await clients.exec.createExec({ id, containerId, spec });
  async function* requests() {
    const value = { id, stdin: stdin !== undefined, stdout: true, stderr: true, ...wish.open };
    yield { frame: { $case: 'open' as const, value } };
    if (stdin) for await (const frame of stdin) yield { frame };
  }
  const parts: { stdout: Uint8Array[]; stderr: Uint8Array[] } = { stdout: [], stderr: [] };
  let code: number | undefined;
  const options = wish.signal === undefined ? {} : { signal: wish.signal };
  for await (const { frame } of clients.exec.execStart(requests(), options)) {
    if (frame?.$case === 'exit') code = frame.value.code;
    else if (frame?.$case === 'stdout' || frame?.$case === 'stderr') parts[frame.$case].push(frame.value);
  }
  return { id, stdout: Buffer.concat(parts.stdout), stderr: Buffer.concat(parts.stderr), code };
}
