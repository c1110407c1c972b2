import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { Agent, type IncomingMessage, request } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import { bootEngine, type Engine } from '../engine.ts';
import { importBusybox } from '../images.ts';
import { nothing } from '../machine.ts';
import { times } from '../seed.ts';

let engine: Engine;
const docker = (...args: string[]) => engine.dockerWith(undefined, ...args);
const agent = new Agent({ keepAlive: true, maxSockets: 8 });
const socketPath = () => join(engine.execRoot, 'docker.sock');

before(async () => {
  engine = await bootEngine();
  await importBusybox(engine);
});
after(async () => {
  agent.destroy();
  await engine.dispose();
  assert.deepEqual(engine.state(), nothing);
});

async function digest(stream: Readable): Promise<{ md5: string; size: number }> {
  const hash = createHash('md5');
  let size = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    hash.update(chunk);
    size += chunk.length;
  }
  return { md5: hash.digest('hex'), size };
}

/** The docker CLI's stdout by its digest, its stderr as text, its exit code. */
async function digested(...args: string[]) {
  const child = spawn('docker', args, { env: { ...process.env, DOCKER_HOST: engine.host } });
  const exit = once(child, 'exit');
  const [stdout, stderr] = await Promise.all([digest(child.stdout), buffer(child.stderr)]);
  return { ...stdout, stderr: stderr.toString(), code: (await exit)[0] };
}

async function ask(method: string, path: string, body?: object): Promise<Buffer> {
  const headers = body === undefined ? {} : { 'Content-Type': 'application/json' };
  const sent = request({ socketPath: socketPath(), method, path, agent, headers });
  sent.end(body === undefined ? undefined : JSON.stringify(body));
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  return buffer(response);
}

const askJson = async (method: string, path: string, body?: object) => JSON.parse(`${await ask(method, path, body)}`);

test('what a container writes is the same at an attached client and in its log, to the last byte', async () => {
  const size = times(100) * 1_000_000 + 1;
  const script = `head -c ${size} /dev/urandom >/tmp/f; md5sum /tmp/f >&2; cat /tmp/f; exit 3`;
  const attached = await digested('run', '--name', 'large', '--log-opt', 'max-size=-1', 'busybox', 'sh', '-c', script);
  const [md5 = ''] = attached.stderr.split(' ');
  assert.deepEqual([attached.code, attached.size, attached.md5], [3, size, md5]);
  const logged = await digested('logs', 'large');
  assert.deepEqual([logged.size, logged.md5, logged.stderr], [size, md5, attached.stderr]);
  await docker('rm', 'large');
});

test('an attached client that takes nothing stops neither the container nor the others', async () => {
  const size = times(400) * 1_000_000;
  const line = 'x'.repeat(99);
  const script = `yes ${line} | head -c ${size}; exit 4`;
  const id = (await docker('create', 'busybox', 'sh', '-c', script)).trim();
  const stuck = connect(socketPath());
  stuck.write(
    `POST /containers/${id}/attach?stream=1&stdout=1 HTTP/1.1\r\nHost: x\r\nUpgrade: tcp\r\nConnection: Upgrade\r\n\r\n`,
  );
  await once(stuck, 'readable');
  stuck.on('error', () => {});
  const others = [1, 2, 3].map(async () => {
    const sent = request({
      socketPath: socketPath(),
      method: 'POST',
      path: `/containers/${id}/attach?stream=1&stdout=1`,
    });
    sent.end();
    const [response] = (await once(sent, 'response')) as [IncomingMessage];
    return payload(response);
  });
  const started = await digested('start', '-a', id);
  const expected = createHash('md5')
    .update(`${line}\n`.repeat(size / 100))
    .digest('hex');
  assert.deepEqual([started.code, started.size, started.md5], [4, size, expected]);
  assert.deepEqual(await Promise.all(others), [expected, expected, expected]);
  stuck.destroy();
  await docker('rm', id);
});

/** The digest of what is in the frames of a multiplexed stream. */
async function payload(stream: Readable): Promise<string> {
  const hash = createHash('md5');
  let head = Buffer.alloc(0);
  let left = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    for (let at = 0; at < chunk.length; ) {
      if (left === 0) {
        const taken = chunk.subarray(at, at + 8 - head.length);
        head = Buffer.concat([head, taken]);
        at += taken.length;
        if (head.length === 8) [left, head] = [head.readUInt32BE(4), Buffer.alloc(0)];
        continue;
      }
      const bytes = chunk.subarray(at, at + left);
      hash.update(bytes);
      at += bytes.length;
      left -= bytes.length;
    }
  }
  return hash.digest('hex');
}

test('no exec loses a byte of its output, nor has a wrong code', async () => {
  const container = (
    await docker('run', '-d', '--name', 'host', '--network', 'none', 'busybox', 'sleep', '100000')
  ).trim();
  const count = times(10_000);
  const wrong: string[] = [];
  let next = 0;
  const one = async (number: number) => {
    const code = number % 7;
    const command = ['sh', '-c', `echo out ${number}; echo err ${number} >&2; exit ${code}`];
    const wish = { AttachStdout: true, AttachStderr: true, Cmd: command };
    const { Id: id } = await askJson('POST', `/containers/${container}/exec`, wish);
    const output = framesOf(await ask('POST', `/exec/${id}/start`, { Detach: false, Tty: false }));
    const { ExitCode } = await askJson('GET', `/exec/${id}/json`);
    const seen = `${output[1]}|${output[2]}|${ExitCode}`;
    if (seen !== `out ${number}\n|err ${number}\n|${code}`) wrong.push(`${number}: ${JSON.stringify(seen)}`);
  };
  const work = async () => {
    while (next < count) await one(next++);
  };
  await Promise.all(Array.from({ length: 4 }, work));
  assert.deepEqual(wrong, []);
  await docker('rm', '-f', 'host');
});

/** Each stream's text. */
function framesOf(bytes: Buffer): Record<number, string> {
  const texts: Record<number, string> = { 1: '', 2: '' };
  for (let at = 0; at < bytes.length; ) {
    const end = at + 8 + bytes.readUInt32BE(at + 4);
    const stream = bytes[at] ?? 0;
    texts[stream] = `${texts[stream] ?? ''}${bytes.subarray(at + 8, end)}`;
    at = end;
  }
  return texts;
}
