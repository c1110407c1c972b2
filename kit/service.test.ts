import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { silentLogger } from './log.ts';
import { dial } from './rpc/dial.ts';
import { checkHealth } from './rpc/health.ts';
import { endpointOf, serviceConfig } from './service.ts';

const main = `
  import { once } from 'node:events';
  import { runService } from ${JSON.stringify(join(import.meta.dirname, 'service.ts'))};
  import { serve } from ${JSON.stringify(join(import.meta.dirname, 'rpc/serve.ts'))};
  void runService('volume', async (config) => {
    if (config.flags.slow) {
      setInterval(() => undefined, 60_000);
      await once(config.signal, 'abort');
      throw new Error('undone');
    }
    if (config.flags.broken) throw new Error('no such device');
    const served = await serve({ ...config, services: [] });
    return { stop: () => served.stop() };
  }, (command) => command.option('--broken', 'fail to start').option('--slow', 'start until told to stop'));
  process.send?.('began');
`;

interface Program extends AsyncDisposable {
  dir: string;
  child: ChildProcess;
  /** Exit code or signal, once it has ended. */
  ended: Promise<[number | null, string | null]>;
  output: Promise<string>;
}

function run(...args: string[]): Program {
  const dir = mkdtempSync(join(tmpdir(), 'kit-service-'));
  const file = join(dir, 'main.ts');
  writeFileSync(file, main);
  return started(dir, file, args);
}

function started(dir: string, file: string, args: string[]): Program {
  const roots = ['--data-root', join(dir, 'data'), '--exec-root', join(dir, 'run')];
  const child = spawn(process.execPath, [file, ...roots, ...args], { stdio: ['ignore', 'pipe', 'pipe', 'ipc'] });
  const ended = once(child, 'exit') as Promise<[number | null, string | null]>;
  const { stdout, stderr } = child;
  assert.ok(stdout !== null && stderr !== null);
  const output = Promise.all([text(stdout), text(stderr)]).then((both) => both.join(''));
  const dispose = async () => {
    child.kill('SIGKILL');
    await ended;
    rmSync(dir, { recursive: true, force: true });
  };
  return { dir, child, ended, output, [Symbol.asyncDispose]: dispose };
}

const socketOf = ({ dir }: Program) => `unix://${dir}/run/volume.sock`;

test('a service runs until SIGTERM and exits with 0', async () => {
  await using program = run('--log-level', 'debug');
  const channel = dial(socketOf(program), { role: 'client', log: silentLogger() });
  assert(await channel.ready(10_000));
  assert.equal(await checkHealth(channel, '', 2000), 'SERVING');
  channel.close();
  program.child.kill('SIGTERM');
  assert.deepEqual(await program.ended, [0, null]);
  assert.match(await program.output, /DEBUG volume +ready listen=unix:.*stopping signal=SIGTERM\n$/s);
});

test('a service that cannot start says why in one line and exits with 1', async () => {
  await using program = run('--broken');
  assert.deepEqual(await program.ended, [1, null]);
  assert.match(await program.output, /^\S+ FATAL volume +cannot start: no such device\n$/);
});

test('a start that is no longer wanted can undo what it did, and that is no failure', async () => {
  await using program = run('--slow', '--log-level', 'debug');
  await once(program.child, 'message');
  program.child.kill('SIGINT');
  assert.deepEqual(await program.ended, [0, null]);
  assert.match(await program.output, /^\S+ DEBUG volume +stopping signal=SIGINT\n$/);
});

test('an unknown flag and a malformed endpoint are refused', async () => {
  await using unknown = run('--colour');
  assert.deepEqual(await unknown.ended, [1, null]);
  assert.match(await unknown.output, /unknown option '--colour'/);
  await using malformed = run('--graph-endpoint', 'graph:1234');
  assert.deepEqual(await malformed.ended, [1, null]);
  assert.match(await malformed.output, /--graph-endpoint.*Use unix:\/\/\/path or dns:\/\/\/host:port/s);
});

test('help teaches with examples, and the version is the package’s', async () => {
  await using help = run('--help');
  assert.match(await help.output, /--data-root <dir>.*--broken.*Examples:.*longshore volume/s);
  await using version = run('--version');
  assert.match(await version.output, /^\d+\.\d+\.\d+\n$/);
});

test('a service that was killed can be used again as soon as it is back, on the same channel', async () => {
  await using program = run();
  const channel = dial(socketOf(program), { role: 'client', log: silentLogger() });
  assert(await channel.ready(10_000));
  program.child.kill('SIGKILL');
  await program.ended;
  await using again = started(program.dir, join(program.dir, 'main.ts'), []);
  assert(await channel.ready(10_000));
  assert.equal(await checkHealth(channel, '', 2000), 'SERVING');
  channel.close();
  again.child.kill('SIGTERM');
  assert.deepEqual(await again.ended, [0, null]);
});

test('a peer is at its usual socket unless it is elsewhere', () => {
  const log = silentLogger();
  const config = serviceConfig({
    role: 'graph',
    dataRoot: '/d',
    execRoot: '/run/x',
    log,
    endpoints: { volume: 'dns:///localhost:1' },
  });
  assert.deepEqual(config.listen, ['unix:///run/x/graph.sock']);
  assert.equal(endpointOf(config, 'graphdriver'), 'unix:///run/x/graphdriver.sock');
  assert.equal(endpointOf(config, 'volume'), 'dns:///localhost:1');
});
