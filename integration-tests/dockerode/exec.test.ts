import assert from 'node:assert/strict';
import type { Duplex } from 'node:stream';
import { after, before, test } from 'node:test';
import Docker from 'dockerode';
import { bootEngine, type Engine } from '../engine.ts';
import { importBusybox } from '../images.ts';
import { nothing } from '../machine.ts';

let engine: Engine;
let container: Docker.Container;

before(async () => {
  engine = await bootEngine();
  await importBusybox(engine);
  const client = new Docker({ socketPath: engine.host.replace('unix://', '') });
  container = await client.createContainer({ Image: 'busybox', Cmd: ['sleep', '1000'] });
  await container.start();
});
after(async () => {
  await engine.dispose();
  assert.deepEqual(engine.state(), nothing);
});

async function read(stream: Duplex): Promise<string> {
  const chunks: Buffer[] = [];
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  await new Promise((resolve, reject) => stream.on('end', resolve).on('error', reject));
  stream.destroy();
  return Buffer.concat(chunks).toString();
}

const framed = (stream: number, text: string) => `${String.fromCharCode(stream, 0, 0, 0, 0, 0, 0, text.length)}${text}`;

for (const hijack of [true, false]) {
  test(`exec ${hijack ? 'with' : 'without'} an upgrade gives both streams told apart and the exit code`, async () => {
    const Cmd = ['sh', '-c', 'echo out; sleep 0.1; echo err >&2; exit 4'];
    const exec = await container.exec({ Cmd, AttachStdout: true, AttachStderr: true });
    assert.equal((await exec.inspect()).ExitCode, null);
    assert.equal(await read(await exec.start({ hijack })), framed(1, 'out\n') + framed(2, 'err\n'));
    const { ExitCode, Running, ProcessConfig } = await exec.inspect();
    assert.deepEqual([ExitCode, Running, ProcessConfig.entrypoint], [4, false, 'sh']);
  });
}

test('input goes up through an upgraded exec, and its end with it', async () => {
  const exec = await container.exec({ Cmd: ['cat'], AttachStdin: true, AttachStdout: true });
  const stream = await exec.start({ hijack: true, stdin: true });
  stream.end('hello\n');
  assert.equal(await read(stream), framed(1, 'hello\n'));
});

test('a terminal is resized while the command runs', async () => {
  const Cmd = ['sh', '-c', 'while [ "$(stty size 2>&1)" != "20 70" ]; do sleep 0.02; done; echo resized'];
  const exec = await container.exec({ Cmd, AttachStdin: true, AttachStdout: true, Tty: true });
  const stream = await exec.start({ hijack: true, stdin: true, Tty: true });
  await exec.resize({ h: 20, w: 70 });
  assert.equal(await read(stream), 'resized\r\n');
});

test('an exec is started once', async () => {
  const exec = await container.exec({ Cmd: ['true'] });
  await exec.start({ Detach: true });
  await assert.rejects(exec.start({}), { statusCode: 409 });
});

test('statistics come as a stream, each sample with the one before', async () => {
  const samples: Docker.ContainerStats[] = [];
  for await (const line of await container.stats({ stream: true })) {
    samples.push(JSON.parse(String(line)));
    if (samples.length === 2) break;
  }
  const [first, second] = samples;
  assert.equal(second?.preread, first?.read);
  assert.equal(second?.precpu_stats.system_cpu_usage, first?.cpu_stats.system_cpu_usage);
  assert.ok((second?.memory_stats.usage ?? 0) > 0);
  const { ID: _, ...once } = JSON.parse(JSON.stringify(await container.stats({ stream: false, 'one-shot': true })));
  assert.deepEqual([once.id, once.preread], [container.id, '0001-01-01T00:00:00Z']);
});
